"""A network with learned delays in a training loop of one's own, and on to integers and Verilog.

Prints the accuracy of the float and of the integer network on samples that were not trained on, and what the core has.
"""

import tempfile

import numpy as np
import torch
from torch import nn

import spikewright as sw

STEPS, CHANNELS, CLASSES = 24, 30, 3


def orders(samples: int, seed: int) -> sw.SpikeData:
    """Three bursts of ten channels each; the class is which of them comes first."""
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % CLASSES
    counts = rng.random((samples, STEPS, CHANNELS)) < 0.02
    for sample, label in enumerate(labels):
        for place in range(3):
            group = (label + place) % 3
            burst = rng.random((4, 10)) < 0.5
            counts[sample, 8 * place : 8 * place + 4, 10 * group : 10 * group + 10] |= burst
    return sw.SpikeData(counts, labels)


def main() -> None:
    torch.manual_seed(0)
    training, test = orders(240, seed=1), orders(120, seed=2)
    recurrent = sw.LayerConfig(neurons=32, recurrent=True, delay_low=0, delay_high=12, max_delay=15)
    network = sw.build_network([32, recurrent], inputs=CHANNELS, classes=CLASSES, timesteps=STEPS, density=0.4)

    optimizer = sw.AdaBreg(sw.parameter_groups(network, sw.L1(0.02), lr_delays=0.1), lr=5e-3)
    controller = sw.SparsityController(optimizer, 0, target=0.8, gain=0.2, largest=0.02, ramp=15)
    counts, labels = torch.from_numpy(training.counts), torch.from_numpy(training.labels)
    network.train()
    for _ in range(30):
        for index in torch.randperm(len(labels)).split(60):
            loss = nn.functional.cross_entropy(5 * network(counts[index]) / STEPS, labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            network.limit_delays()
        controller.step()

    model = sw.quantize(network, weight_bits=6, data=training)
    print(f"accuracy {sw.evaluate(network, test).accuracy:.2f}, in integers {sw.evaluate(model, test).accuracy:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        build = sw.generate(model, f"{folder}/core", lanes=2)
        print(f"synapses {build.synapses} of {build.weights}, memory bits {sum(build.memory_bits.values())}")


if __name__ == "__main__":
    main()
