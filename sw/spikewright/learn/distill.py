"""Knowledge distillation: a network learns from other networks' answers, too (Hinton, Vinyals, Dean 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import Network, read_network
from spikewright.learn.config import Config
from spikewright.support.files import sha256
from spikewright.support.shipped import checkpoint_path

_INPUT = ("inputs", "classes", "timesteps", "timestep", "bin_width")


class Teachers:
    """Trained networks that tell the probabilities of the classes, and learn nothing.

    Parameters
    ----------
    config : Config
        Configuration of the network that is taught; its `distillation` names checkpoints by `spikewright train`,
        or shipped ones, of spiking or convolutional networks.
    device : torch.device

    Raises
    ------
    InputError
        If a file is no checkpoint, or of a network with another input or other classes.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        self.temperature = config.distillation.temperature
        self.sha256: dict[str, str] = {}
        """Of the checkpoints, by name."""
        self._networks: list[tuple[Network, float]] = []
        for path in config.distillation.teachers:
            network, own, _ = read_network(path)
            for name in _INPUT:
                asked, present = getattr(config.network, name), getattr(own.network, name)
                if asked != present:
                    raise InputError(f"{path}: network.{name} must be the student's {asked}, not {present}")
            network.to(device).eval().requires_grad_(False)
            self._networks.append((network, own.training.logit_scale / own.network.summed_steps))
            self.sha256[path] = sha256(checkpoint_path(path))

    def networks(self) -> list[nn.Module]:
        return [network for network, _ in self._networks]

    @torch.no_grad()
    def probabilities(self, values: Tensor) -> Tensor:
        """(B, classes), the mean over the teachers of `softmax(logits / temperature)`, of values (T, inputs, B)."""
        each = [
            (network._run_transposed(values)[1] * (scale / self.temperature)).softmax(dim=1)
            for network, scale in self._networks
        ]
        return torch.stack(each).mean(dim=0)


def distillation_loss(logits: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Sum over the samples of `temperature**2 * KL(target | softmax(logits / temperature))`.

    Parameters
    ----------
    logits : (B, classes)
    target : (B, classes)
        The teachers' probabilities at that temperature.
    temperature : float
        Above 0. Its square keeps the gradients of the size of those of the cross-entropy.
    """
    soft = functional.log_softmax(logits / temperature, dim=1)
    return functional.kl_div(soft, target, reduction="sum") * temperature**2
