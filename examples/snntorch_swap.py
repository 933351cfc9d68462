"""Train a network of snnTorch with most of its weights zero: the optimizer is the one line that changes.

Needs `pip install snntorch`. Prints the accuracy on sweeps that were not trained on, and the share of zero
weights, which a controller steers to nine tenths.
"""

import snntorch as snn
import torch
from torch import nn

import spikewright as sw

STEPS, CHANNELS, CLASSES = 20, 40, 3


def sweeps(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes (steps, samples, channels) of sounds whose pitch falls, stays or rises, and which of the three it is."""
    labels = torch.arange(samples) % CLASSES
    time = torch.arange(STEPS)[:, None] / STEPS
    pitch = 0.45 + 0.1 * torch.rand(samples) + 0.4 * (labels - 1) * time
    distance = torch.arange(CHANNELS) - CHANNELS * pitch[:, :, None]
    return torch.bernoulli(0.8 * torch.exp(-(distance**2) / 4)), labels


class Network(nn.Module):
    """Two layers of snnTorch's leaky neurons; the second one's membranes, summed, are the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(CHANNELS, 64)
        self.fire = snn.Leaky(beta=0.8)
        self.output = nn.Linear(64, CLASSES)
        self.integrate = snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        membrane, integral = self.fire.reset_mem(), self.integrate.reset_mem()
        scores = torch.zeros(x.shape[1], CLASSES)
        for step in x:
            spikes, membrane = self.fire(self.hidden(step), membrane)
            _, integral = self.integrate(self.output(spikes), integral)
            scores = scores + integral / STEPS
        return scores


def main() -> None:
    torch.manual_seed(0)
    (x, labels), (unseen, expected) = sweeps(300), sweeps(150)
    network = Network()

    # Instead of: optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    optimizer = sw.AdaBreg(sw.parameter_groups(network, sw.L1(0.1)), lr=1e-2)

    for weight in optimizer.param_groups[0]["params"]:
        sw.sparse_init_(weight, density=0.2)  # Bregman iterations start from few weights, and add those that help
    controller = sw.SparsityController(optimizer, 0, target=0.9, gain=0.2, largest=0.05)
    for _ in range(40):
        loss = nn.functional.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        controller.step()
    accuracy = (network(unseen).argmax(dim=1) == expected).float().mean()
    print(f"accuracy {accuracy:.2f}, zero weights {controller.sparsity():.2f}")


if __name__ == "__main__":
    main()
