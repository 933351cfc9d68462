"""Spiking networks with learned axonal delays, built from a configuration (DelRec: Queant et al. 2025)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor, nn

from spikewright.contract.decision import DECISIONS
from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts, Shown, percent, thousands
from spikewright.learn.config import Config, LayerConfig, NetworkConfig
from spikewright.learn.config_sections import Own
from spikewright.learn.layers import delay_kernel, neurons, recurrent_neurons, time_linear
from spikewright.learn.neuron import Neuron, neuron_of
from spikewright.learn.sparsity import sparse_init_, sparsity
from spikewright.support.parallel import BatchNorm1d, bernoulli
from spikewright.support.tensors import check_values, delayed, first_argmax, trace_facts


@dataclass(frozen=True, repr=False)
class Trace(Shown):
    """What a run of T steps over B samples shows.

    Parameters
    ----------
    spikes : per spiking layer, (B, T, N)
        0 or 1.
    scores : (B, classes)
    """

    spikes: tuple[Tensor, ...]
    scores: Tensor

    @property
    def classes(self) -> Tensor:
        """(B,): the lowest index of a highest score."""
        return first_argmax(self.scores)

    def facts(self) -> Facts:
        return trace_facts(self.spikes, self.scores)


Drawn = tuple[Tensor | None, Tensor | None]
"""Factors of dropout (N, B) on a layer's recurrent currents, and on its output; None for none."""


class SpikingLayer(nn.Module):
    """`I[t] = BN(W x[t] + b) + W_rec s_del[t]` into neurons; (T, N, B) throughout.

    Parameters
    ----------
    inputs : int
    config : LayerConfig
    neuron : Neuron
    """

    onward: Tensor

    leak: Tensor
    floor: Tensor

    def __init__(self, inputs: int, config: LayerConfig, neuron: Neuron) -> None:
        super().__init__()
        self.config = config
        self.neuron = neuron
        self.sigma = 0.0
        self.fixed = False
        """Whether nothing that it computes in training may depend on a value but values, see `captured`."""
        self.weight = nn.Parameter(torch.empty(config.neurons, inputs))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.bias = nn.Parameter(torch.zeros(config.neurons)) if config.bias else None
        self.norm = BatchNorm1d(config.neurons) if config.batch_norm else None
        if config.recurrent:
            self.recurrent_weight = nn.Parameter(torch.empty(config.neurons, config.neurons))
            nn.init.orthogonal_(self.recurrent_weight)
            self.delays = nn.Parameter(torch.empty(config.neurons))
            if config.delays == "uniform":
                nn.init.uniform_(self.delays, config.delay_low, config.delay_high)
            else:
                with torch.no_grad():
                    nn.init.normal_(self.delays, 0.0, config.delay_high).abs_()
            if config.learned_spread:
                self.spread = nn.Parameter(torch.zeros(config.neurons))
            self.limit_delays()
        if config.onward:
            self.register_buffer("onward", torch.full((config.neurons,), float(config.onward)))
        usual = {"leak": neuron.decay, "current_leak": neuron.current_decay, "floor": -config.threshold}
        for name in config.own:
            self.register_buffer(name, torch.full((config.neurons,), usual.get(name, 0.0)))

    def own_neuron(self, *, columns: bool = True) -> Neuron:
        """The neuron with the constants that each has of its own: for tensors (N, B), or (B, N) without `columns`."""
        own = {name: getattr(self, name) for name in self.config.own}
        return replace(self.neuron, **{name: of.unsqueeze(1) if columns else of for name, of in own.items()})

    def limit_delays(self) -> None:
        """Keep the delays within 0 .. `max_delay`; the training calls it after every update."""
        if self.config.recurrent and not self.delays.is_meta:  # for which torch would load its compiler: seconds
            with torch.no_grad():
                self.delays.clamp_(0.0, float(self.config.max_delay))

    def kernel(self, timesteps: int) -> Tensor:
        """Arrival weights (N, L): the triangle while training, the rounded delays otherwise."""
        if not self.training:
            return delay_kernel(self.delays.round(), 1.0, timesteps)
        widest = (2.0 if self.config.learned_spread else 1.0) * self.sigma
        lags = 2 + self.config.max_delay + math.ceil(widest) if self.fixed else None
        if self.config.learned_spread:
            return delay_kernel(self.delays, 1.0 + widest * torch.sigmoid(self.spread), timesteps, lags)
        return delay_kernel(self.delays, 1.0 + self.sigma, timesteps, lags)

    def forward(self, x: Tensor, mask: Tensor | None = None, drop: Tensor | None = None) -> Tensor:
        """Spikes (T, N, B), before dropout, of inputs (T, I, B), each times its `mask` (I, B).

        Recurrent currents are taken times `drop` (N, B).
        """
        current = time_linear(x, self.weight, mask)
        if self.bias is not None:
            current = current + self.bias.view(1, -1, 1)
        if self.norm is not None:
            current = self.norm(current)
        if not self.config.recurrent:
            return neurons(current, self.own_neuron(), overwrite=True)
        kernel, neuron = self.kernel(x.shape[0]), self.own_neuron()
        return recurrent_neurons(current, self.recurrent_weight, kernel, neuron, drop, True, self.fixed)

    def sent(self, spikes: Tensor) -> Tensor:
        """Spikes (T, N, B) in the steps in which they reach the next layer."""
        return delayed(spikes, self.onward.long()) if self.config.onward else spikes

    def folded(self, input_scale: float = 1.0) -> tuple[Tensor, Tensor]:
        """Feed-forward weights (N, inputs) and bias (N,), float64, with batch norm and scale of the input in them.

        Raises
        ------
        InputError
            If a batch norm has no running statistics.
        """
        weights = self.weight.detach().double() * input_scale
        bias = weights.new_zeros(len(weights)) if self.bias is None else self.bias.detach().double()
        if self.norm is None:
            return weights, bias
        norm = self.norm
        if norm.running_mean is None or norm.running_var is None:
            raise InputError("batch norm of a network to quantize must have running statistics, not none")
        gain = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
        bias = norm.bias.detach().double() + gain * (bias - norm.running_mean.double())
        return gain.unsqueeze(1) * weights, bias

    def draw(self, x: Tensor) -> Drawn:
        """Factors of dropout for inputs (T, I, B), none outside training."""
        if not self.training:
            return None, None
        like = x.new_empty(self.config.neurons, x.shape[2])
        recurrent = self.config.recurrent_dropout if self.config.recurrent else 0.0
        drop = _dropout_mask(like, recurrent) if recurrent else None
        return drop, _dropout_mask(like, self.config.dropout) if self.config.dropout else None


def _dropout_mask(like: Tensor, share: float) -> Tensor:
    return bernoulli(like, 1.0 - share).div_(1.0 - share)


class Readout(nn.Module):
    """A leaky integrator per class that never fires.

    Parameters
    ----------
    inputs, classes : int
    tau : float
        In steps; 1 is a linear read-out.
    rule : "sum", "max", "last" or "softmax_sum"
        Score of a class: the sum over the steps of its membrane, the highest of them, that of the last step, or the sum
        of its softmax over the classes.
    own : names of constants, see `LayerConfig.own`
        Constants (classes,) in place of what tau and tau_syn say, of 0, and of no floor.
    tau_syn : float
        That of a synaptic current; 1 is none.
    """

    leak: Tensor | None
    current_leak: Tensor | None
    start: Tensor | None
    current_start: Tensor | None
    floor: Tensor | None

    def __init__(
        self, inputs: int, classes: int, tau: float, rule: str, own: Sequence[Own] = (), tau_syn: float = 1.0
    ) -> None:
        super().__init__()
        self.decay = 1.0 - 1.0 / tau
        self.current_decay = 1.0 - 1.0 / tau_syn
        usual = {"leak": self.decay, "current_leak": self.current_decay}
        for name in get_args(Own):
            self.register_buffer(name, torch.full((classes,), usual.get(name, 0.0)) if name in own else None)
        self.own = tuple(own)
        self.rule = rule
        self.weight = nn.Parameter(torch.empty(classes, inputs))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scores (B, classes) of spikes (T, I, B), each neuron's times `mask` (I, B)."""
        if self.rule != "sum" or self.own or self.current_decay:
            return self.running(self.membranes(x if mask is None else x * mask))[-1].t()
        # The sum of the membranes is linear: a current at step t counts 1 + decay + ... + decay**(T-1-t) times.
        left = torch.arange(x.shape[0], 0, -1, dtype=x.dtype, device=x.device)
        count = left if self.decay == 1.0 else (1.0 - self.decay**left) / (1.0 - self.decay)
        weighted = torch.tensordot(count, x, dims=1)  # (I, B)
        if mask is not None:
            weighted = weighted * mask
        scores: Tensor = (self.weight @ weighted).t() + self.bias * count.sum()
        return scores

    def membranes(self, x: Tensor) -> Tensor:
        """Membranes (T, classes, B) of spikes (T, I, B)."""
        current = time_linear(x, self.weight) + self.bias.view(1, -1, 1)
        own = {name: getattr(self, name).unsqueeze(1) for name in self.own}
        nothing = torch.zeros_like(current[0])
        v, synaptic = (nothing + own.get(name, 0.0) for name in ("start", "current_start"))
        share, of_current = own.get("leak", self.decay), own.get("current_leak", self.current_decay)
        steps = []
        for drive in current:
            if self.current_decay:
                drive = synaptic = drive + of_current * synaptic
            v = drive + share * v
            if "floor" in own:
                v = torch.maximum(v, own["floor"])
            steps.append(v)
        return torch.stack(steps)

    @property
    def share(self) -> Tensor | float:
        """Share of the membranes that is left after a step."""
        return self.decay if self.leak is None else self.leak

    @property
    def current_share(self) -> Tensor | float:
        """The same of synaptic currents."""
        return self.current_decay if self.current_leak is None else self.current_leak

    def running(self, membranes: Tensor) -> Tensor:
        """Scores (T, classes, B) after every step of membranes (T, classes, B)."""
        if self.rule == "softmax_sum":
            return membranes.softmax(dim=1).cumsum(dim=0)
        return torch.stack(DECISIONS[self.rule].running(torch.where, membranes.unbind()))


class SpikingNetwork(Shown, nn.Module):
    """Spiking layers in sequence and a leaky read-out.

    `recipe` is the configuration it was trained with, None where that is not known.

    Parameters
    ----------
    config : NetworkConfig
    density : float
        Share of the weights that are not zero at the start, above 0 .. 1.
    """

    def __init__(self, config: NetworkConfig, density: float = 1.0) -> None:
        super().__init__()
        self.config = config
        self.recipe: Config | None = None
        layers = []
        width = config.inputs
        for layer in config.layers:
            layers.append(SpikingLayer(width, layer, neuron_of(layer, config.surrogate, config.alpha)))
            width = layer.neurons
        self.layers = nn.ModuleList(layers)
        of_readout = config.readout_tau, config.readout, config.readout_own, config.readout_tau_syn
        self.readout = Readout(width, config.classes, *of_readout)
        if density < 1.0:
            for weight in self.weight_matrices().values():
                sparse_init_(weight, density)

    def spiking_layers(self) -> Iterator[SpikingLayer]:
        for layer in self.layers:
            if isinstance(layer, SpikingLayer):
                yield layer

    def weight_matrices(self) -> dict[str, nn.Parameter]:
        """All weight matrices by name: what is made sparse, and what hardware stores."""
        return {name: p for name, p in self.named_parameters() if p.dim() == 2}

    def delay_parameters(self) -> dict[str, nn.Parameter]:
        """Delays (and their learned spreads) by name."""
        return {name: p for name, p in self.named_parameters() if name.endswith((".delays", ".spread"))}

    def set_sigma(self, sigma: float) -> None:
        """Set the width of the delays' triangle, 1 + sigma steps, for training."""
        for layer in self.spiking_layers():
            layer.sigma = sigma

    def limit_delays(self) -> None:
        """Keep all delays within their configured range."""
        for layer in self.spiking_layers():
            layer.limit_delays()

    def run(self, values: Tensor) -> Trace:
        """Run samples.

        Parameters
        ----------
        values : (B, T, inputs)
            Event counts (any type); T is `config.timesteps`.

        Returns
        -------
        Trace
            In evaluation mode a sample's result does not depend on its batch.

        Raises
        ------
        InputError
            If the shape does not fit, or a value is negative, infinite or not a number.
        """
        check_values(values, self.config.timesteps, self.config.inputs)
        x = values.permute(1, 2, 0).to(self.readout.weight.dtype).contiguous()
        spikes, scores = self._run_transposed(x)
        return Trace(tuple(of_layer.permute(2, 0, 1) for of_layer in spikes), scores)

    def draw(self, x: Tensor) -> list[Drawn]:
        """Factors of dropout of each layer, for inputs (T, I, B)."""
        return [layer.draw(x) for layer in self.spiking_layers()]

    def _run_transposed(self, x: Tensor, drawn: list[Drawn] | None = None) -> tuple[list[Tensor], Tensor]:
        """Spikes per layer (T, N, B), and scores, of (T, inputs, B) of the weights' type: as the training computes."""
        if self.config.input_scale != 1.0:
            x = x * self.config.input_scale
        spikes = []
        mask = None
        for layer, (drop, next_mask) in zip(self.spiking_layers(), drawn or self.draw(x), strict=True):
            x = layer(x, mask, drop)
            spikes.append(x)
            mask = next_mask
            x = layer.sent(x)
        return spikes, self.readout(x, mask)

    def title(self) -> str:
        shape = "-".join(map(str, (self.config.inputs, *(layer.neurons for layer in self.config.layers))))
        weights = self.weight_matrices().values()
        return (
            f"{type(self).__name__} {shape}-{self.config.classes}, {self.config.timesteps} steps, "
            f"{thousands(sum(p.numel() for p in weights))} weights, {percent(sparsity(weights))} zero"
        )

    def facts(self) -> Facts:
        described = []
        for index, layer in enumerate(self.spiking_layers()):
            matrices = [layer.weight]
            text = f"{layer.config.neurons} neurons, tau {layer.config.tau:g}, {layer.neuron.in_integers().label}"
            if layer.neuron.current_decay:
                text += f", synaptic currents of tau {layer.config.tau_syn:g}"
            if layer.config.recurrent:
                matrices.append(layer.recurrent_weight)
                low, high = (float(extreme) for extreme in layer.delays.detach().aminmax())
                text += f", recurrent with delays {low:.0f} .. {high:.0f}"
            if layer.config.onward:
                text += f", up to {layer.config.onward} steps to the next layer"
            described.append((f"layer {index}", f"{text}, {percent(sparsity(matrices))} zero"))
        zeros = percent(sparsity([self.readout.weight]))
        return [*described, ("read-out", f"{self.config.classes} classes, {self.config.readout}, {zeros} zero")]

    def forward(self, values: Tensor) -> Tensor:
        """Scores (B, classes) of values (B, T, inputs); see `run`."""
        return self.run(values).scores
