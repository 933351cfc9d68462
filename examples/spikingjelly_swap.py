"""Train a network of SpikingJelly with most of its weights zero: the optimizer is the one line that changes.

Needs `pip install spikingjelly`. Prints the accuracy on patterns that were not trained on, and the share of zero
weights, which a controller steers to nine tenths.
"""

import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import spikewright as sw

STEPS, CHANNELS, CLASSES = 16, 50, 4


def rhythms(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes (steps, samples, channels): each class has its own ten channels, which fire thrice as often."""
    labels = torch.randint(CLASSES, (samples,))
    own = torch.arange(CHANNELS) // 10 == labels[:, None]
    return torch.bernoulli((0.1 + 0.2 * own).expand(STEPS, samples, CHANNELS)), labels


def main() -> None:
    torch.manual_seed(0)
    (x, labels), (unseen, expected) = rhythms(400), rhythms(200)
    network = nn.Sequential(layer.Linear(CHANNELS, 80), neuron.LIFNode(tau=2.0), layer.Linear(80, CLASSES))
    functional.set_step_mode(network, "m")

    # Instead of: optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    optimizer = sw.AdaBreg(sw.parameter_groups(network, sw.L1(0.05)), lr=2e-2)

    for weight in optimizer.param_groups[0]["params"]:
        sw.sparse_init_(weight, density=0.2)  # Bregman iterations start from few weights, and add those that help
    controller = sw.SparsityController(optimizer, 0, target=0.9, gain=0.2, largest=0.05)
    for _ in range(60):
        loss = nn.functional.cross_entropy(network(x).mean(dim=0), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        controller.step()
        functional.reset_net(network)
    with torch.no_grad():
        accuracy = (network(unseen).mean(dim=0).argmax(dim=1) == expected).float().mean()
    print(f"accuracy {accuracy:.2f}, zero weights {controller.sparsity():.2f}")


if __name__ == "__main__":
    main()
