"""Quantization-aware fine-tuning: training through the rounding that `quantize` does, with zeros that stay zero.

The forward pass computes with the weights, biases, thresholds and leaks of the integer network; the backward pass
takes rounding for the identity (straight-through estimator, Bengio et al. 2013). Delays are whole steps and batch norm
is folded before, so what is trained is what hardware stores. Only the flooring of the leak is not seen: it is less than
one unit of the membrane, 2**-weight_shift of a weight's.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikewright.contract.decay import Decay, Leaks
from spikewright.contract.errors import CheckFailed
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import fold, quantize
from spikewright.learn.augment import Augmenter
from spikewright.learn.config import Config
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.recipe import rate_factor
from spikewright.learn.samples import Samples


def fold_network(network: SpikingNetwork) -> SpikingNetwork:
    """The same function of the input without batch norm, with a scale of 1 and whole delays; in evaluation mode."""
    layers = tuple(dataclasses.replace(layer.config, batch_norm=False, bias=True) for layer in network.spiking_layers())
    folded = SpikingNetwork(dataclasses.replace(network.config, layers=layers))
    with torch.no_grad():
        for old, new, values in zip(network.spiking_layers(), folded.spiking_layers(), fold(network), strict=False):
            inputs = new.weight.shape[1]
            scale = network.config.input_scale if inputs == network.config.inputs and old is network.layers[0] else 1.0
            new.weight.copy_(values.weights[:, :inputs] / scale)
            assert new.bias is not None
            new.bias.copy_(values.bias)
            if new.config.recurrent:
                new.recurrent_weight.copy_(values.weights[:, inputs:])
                new.delays.copy_(old.delays.round())
            if new.config.onward:
                new.onward.copy_(old.onward)
            for name in new.config.own:
                getattr(new, name).copy_(getattr(old, name))
        folded.readout.load_state_dict(network.readout.state_dict())
    return folded.eval()


class QuantizedNetwork(nn.Module):
    """A network whose forward pass computes with rounded parameters.

    Parameters
    ----------
    network : SpikingNetwork
        Without batch norm, by `fold_network`. Its weights and biases are what is trained.
    weight_bits : int
        2 .. 16.
    value_bits : int, optional
        As for `quantize`.
    """

    def __init__(self, network: SpikingNetwork, weight_bits: int, value_bits: int | None = None) -> None:
        super().__init__()
        self.network = network
        self.weight_bits = weight_bits
        self.value_bits = value_bits
        for delays in network.delay_parameters().values():
            delays.requires_grad_(False)
        # Computes with other parameters and with the leak of hardware.
        self._rounded = copy.deepcopy(network).requires_grad_(False)
        for layer, integer in zip(self._rounded.spiking_layers(), self.spec().layers, strict=False):
            current = integer.current_decay
            tau_syn = 1.0 if current is None else _tau(current)
            layer.neuron = dataclasses.replace(layer.neuron, tau=_tau(integer.decay), tau_syn=tau_syn)
            _set_leaks(layer, integer)
        of_readout = self.spec().layers[-1]
        self._rounded.readout.decay = 1.0 - 1.0 / _tau(of_readout.decay)
        if of_readout.current_decay is not None:
            self._rounded.readout.current_decay = 1.0 - 1.0 / _tau(of_readout.current_decay)
        _set_leaks(self._rounded.readout, of_readout)
        self._kept = {name: (p != 0).to(p.dtype) for name, p in network.weight_matrices().items()}

    def spec(self) -> NetworkSpec:
        """The integer network."""
        return quantize(self.network, weight_bits=self.weight_bits, value_bits=self.value_bits)

    def rounded(self) -> dict[str, Tensor]:
        """Weights and biases by name, as the integer network has them in the units of the float network."""
        parameters = dict(self.network.named_parameters())
        out = {}
        for name, value in _values(self.network, self.spec()).items():
            p = parameters[name]
            through = p * self._kept[name] if name in self._kept else p
            out[name] = through + (value - through).detach()
        return out

    def forward(self, values: Tensor) -> Tensor:
        """Scores (B, classes) of values (B, T, inputs)."""
        scores: Tensor = torch.func.functional_call(self._rounded, self.rounded(), (values,))
        return scores


def _tau(decay: Decay) -> float:
    share = 1.0 - decay.multiplier / (1 << decay.shift)
    return 1.0 / share if share else math.inf


def _set_leaks(module: nn.Module, layer: LayerSpec) -> None:
    """Give neurons with leaks of their own those of the integer layer."""
    for name, of in (("leak", layer.leak), ("current_leak", layer.current_leak)):
        if isinstance(of, Leaks):
            setattr(module, name, torch.tensor(of.multipliers / (1 << of.shift), dtype=torch.float32))


@torch.no_grad()
def _values(network: SpikingNetwork, spec: NetworkSpec) -> dict[str, Tensor]:
    """Integers in the units of the float network: one of a neuron with its threshold, whatever that was rounded to."""
    dtype = network.readout.weight.dtype
    out: dict[str, Tensor] = {}
    for index, (layer, integer) in enumerate(zip(network.spiking_layers(), spec.layers, strict=False)):
        unit = layer.config.threshold / torch.tensor(integer.threshold, dtype=torch.float64)
        weights = torch.tensor(integer.weights << integer.weight_shift) * unit.unsqueeze(1)
        inputs = layer.weight.shape[1]
        scale = network.config.input_scale if index == 0 else 1.0
        out[f"layers.{index}.weight"] = (weights[:, :inputs] / scale).to(dtype)
        out[f"layers.{index}.bias"] = (torch.tensor(integer.bias) * unit).to(dtype)
        if layer.config.recurrent:
            out[f"layers.{index}.recurrent_weight"] = weights[:, inputs:].to(dtype)
    readout, integer = network.readout, spec.layers[-1]
    # The read-out has no threshold to tell its unit: the one that fits its weights best.
    weights = torch.tensor(integer.weights << integer.weight_shift, dtype=torch.float64)
    unit = (weights * readout.weight).sum() / weights.square().sum().clamp(min=1.0)
    out["readout.weight"] = (weights * unit).to(dtype)
    out["readout.bias"] = (torch.tensor(integer.bias) * unit).to(dtype)
    return out


@torch.no_grad()
def integer_accuracy(spec: NetworkSpec, samples: Samples, batch: int = 256) -> float:
    """Share of the samples that the integer network classifies as labelled."""
    network = IntegerNetwork(spec)
    correct = 0
    for counts, labels in zip(torch.split(samples.counts, batch), torch.split(samples.labels, batch), strict=True):
        correct += int((network.run(counts).classes == labels).sum())
    return correct / len(samples)


def fine_tune(
    network: SpikingNetwork,
    config: Config,
    parts: tuple[Samples, Samples],
    *,
    weight_bits: int,
    value_bits: int | None = None,
    epochs: int,
    lr: float = 3e-4,
    report: Callable[[int, float], None] = lambda epoch, accuracy: None,
) -> tuple[NetworkSpec, list[float]]:
    """Fine-tune a trained network for integer weights of `weight_bits`.

    Parameters
    ----------
    network : SpikingNetwork
        Not changed.
    config : Config
        Configuration of its training: seed, batch, augmentation, scale of the logits.
    parts : (Samples, Samples)
        To train on, and to choose the epoch by.
    weight_bits : int
        2 .. 16.
    value_bits : int, optional
        As for `quantize`.
    epochs : int
        At least 0.
    lr : float
        First learning rate of Adam, above 0; it falls along half a cosine.
    report : callable
        Told each epoch and the accuracy of its integer network on the second part.

    Returns
    -------
    (NetworkSpec, list of float)
        The integer network of the best epoch, the first of equals, with epoch 0 (rounding alone) among them; and the
        accuracy of every epoch.

    Raises
    ------
    InputError
        If the network cannot be quantized.
    CheckFailed
        If the training diverges.
    """
    settings = config.training
    training, validation = parts
    with torch.random.fork_rng(devices=[]):
        model = QuantizedNetwork(fold_network(network), weight_bits, value_bits)
        optimizer = torch.optim.Adam([p for p in model.network.parameters() if p.requires_grad], lr=lr)
        augmenter = Augmenter(training.counts, training.labels, config.augment)
        steps = -(-len(training) // settings.batch)
        # Not the folded network's integers: folding rounds to the float's own precision.
        best = quantize(network, weight_bits=weight_bits, value_bits=value_bits)
        accuracies = [integer_accuracy(best, validation)]
        report(0, accuracies[0])
        for epoch in range(epochs):
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
            torch.manual_seed(settings.seed * 1_000_003 + epoch)
            model.train()
            order = torch.randperm(len(training), generator=generator)
            for number, index in enumerate(torch.split(order, settings.batch)):
                for group in optimizer.param_groups:
                    group["lr"] = lr * rate_factor("cosine", epoch * steps + number, epochs * steps)
                scores = model(augmenter.batch(index, generator).permute(2, 0, 1))
                logits = scores * (settings.logit_scale / network.config.summed_steps)
                loss = functional.cross_entropy(logits, training.labels[index])
                if not math.isfinite(loss.item()):
                    raise CheckFailed(f"fine-tuning diverged in epoch {epoch + 1}: the loss is {loss.item()}; lower lr")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            spec = model.spec()
            accuracies.append(integer_accuracy(spec, validation))
            report(epoch + 1, accuracies[-1])
            if accuracies[-1] > max(accuracies[:-1]):
                best = spec
    return best, accuracies
