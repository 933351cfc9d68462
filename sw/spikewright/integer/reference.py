"""The integer network as a PyTorch module: the golden reference of everything in hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikewright.contract.decay import Leak, Leaks
from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import OWN, LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.shown import Facts, Shown
from spikewright.support.tensors import check_values, delayed, first_argmax, trace_facts


@dataclass(frozen=True, repr=False)
class Trace(Shown):
    """Everything a run of T steps over B samples shows.

    Parameters
    ----------
    spikes : per spiking layer, (B, T, neurons) bool, or their number as int64 where neurons send several in a step
    membranes : per layer, (B, T, neurons) int64
        After the reset; the read-out's after its sum.
    scores : (B, classes) int64
    """

    spikes: tuple[Tensor, ...]
    membranes: tuple[Tensor, ...]
    scores: Tensor

    @property
    def classes(self) -> Tensor:
        """(B,) int64: the lowest index of a highest score."""
        return first_argmax(self.scores)

    def facts(self) -> Facts:
        return trace_facts(self.spikes, self.scores)


def sent(spikes: Tensor, onward: IntArray | None) -> Tensor:
    """Spikes (B, T, neurons) in the steps in which they reach the next layer, see `LayerSpec.onward`."""
    if onward is None:
        return spikes
    return delayed(spikes.permute(1, 2, 0), torch.tensor(onward, device=spikes.device)).permute(2, 0, 1)


class IntegerLayer(nn.Module):
    """One layer of `LayerSpec` semantics over a whole sample; see there for the equations.

    The products of all steps are one matrix product in float64. It is exact: every partial sum is an integer, and
    `LayerSpec` refuses weights with which one could reach 2**46.
    """

    weights: Tensor
    bias: Tensor
    threshold: Tensor
    fires_from: Tensor
    floor: Tensor
    start: Tensor
    current_start: Tensor
    multipliers: Tensor
    current_multipliers: Tensor
    delays: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("weights", torch.tensor(spec.weights << spec.weight_shift, dtype=torch.float64))
        self.register_buffer("bias", torch.tensor(spec.bias))
        if spec.threshold is not None:
            self.register_buffer("threshold", torch.tensor(spec.threshold))
            self.register_buffer("fires_from", torch.tensor(spec.neuron.fires_from(spec.threshold)))
        for name in OWN:
            if (values := getattr(spec, name)) is not None:
                self.register_buffer(name, torch.tensor(values))
        if spec.delays is not None:
            self.register_buffer("delays", torch.tensor(spec.delays))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Run from v = start.

        Parameters
        ----------
        values : (B, T, inputs) integers

        Returns
        -------
        spikes : (B, T, neurons) bool, or int64 where neurons send several in a step
            All False for a read-out.
        membranes : (B, T, neurons) int64, after the reset
        """
        spec = self.spec
        values = values.transpose(0, 1)  # a step's neurons of all samples side by side
        steps, batch, _ = values.shape
        current = values.to(torch.float64) @ self.weights[:, : spec.inputs].T  # (T, B, N)
        currents = current.to(torch.int64) + self.bias
        several = spec.count_bits > 1
        dtype = torch.int64 if several else torch.bool
        spikes = torch.zeros(currents.shape, dtype=dtype, device=values.device)
        leak: Leak = spec.decay if spec.multipliers is None else Leaks(self.multipliers, spec.decay.shift)
        of_current: Leak | None = spec.current_decay
        if spec.current_decay is not None and spec.current_multipliers is not None:
            of_current = Leaks(self.current_multipliers, spec.current_decay.shift)
        carried = torch.zeros_like(currents[0]) if steps else currents.sum(dim=0)
        if spec.start is not None:
            carried = carried + leak(self.start)
        synaptic = torch.zeros_like(carried)
        if spec.current_start is not None:
            synaptic = synaptic + self.current_start
        if spec.delays is not None:
            neuron = torch.arange(spec.neurons, device=values.device)
            arriving = torch.zeros(
                (steps + int(spec.delays.max()) + 1, batch, spec.neurons), dtype=torch.float64, device=values.device
            )
        before: Tensor | int = 0
        membranes = currents  # overwritten step by step
        for t in range(steps):
            drive = currents[t]
            if spec.delays is not None:
                drive = drive + (arriving[t] @ self.weights[:, spec.inputs :].T).to(torch.int64)
            if of_current is not None:
                drive = synaptic = of_current(synaptic) + drive
            v = carried + drive
            if spec.threshold is not None:
                fires_from = spec.neuron.fires_from(self.threshold, before) if spec.remembers else self.fires_from
                fired = v >= fires_from
                before_reset = v
                after_spike = spec.neuron.after_spike(v, self.threshold)
                at_rest = spec.neuron.at_rest(v, self.threshold, before)
                if spec.floor is not None:
                    at_rest = torch.maximum(at_rest, self.floor)
                v = torch.where(fired, after_spike, at_rest)
                spikes[t] = fired * spec.neuron.count(before_reset, self.threshold) if several else fired
                if spec.delays is not None:
                    arriving[t + 1 + self.delays, :, neuron] = spikes[t].T.to(torch.float64)
                carried = spec.neuron.carried(v, fired, self.threshold, leak)
                if spec.remembers:
                    before = spec.neuron.remembered(v, fired, self.threshold).long()
            else:
                v = v if spec.floor is None else torch.maximum(v, self.floor)
                carried = leak(v)
            membranes[t] = v
        return spikes.transpose(0, 1), membranes.transpose(0, 1)


class IntegerNetwork(Shown, nn.Module):
    """Integer network of a `NetworkSpec`.

    A sample's result depends on nothing but the sample: not on its batch, not on what ran before.

    Parameters
    ----------
    spec : NetworkSpec
    info : dict, optional
        Where the network comes from, and how recordings become its input, as `load_info` reads it from a file.
    """

    def __init__(self, spec: NetworkSpec, info: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.info = dict(info or {})
        self.layers = nn.ModuleList(IntegerLayer(layer) for layer in spec.layers)

    def run(self, values: Tensor) -> Trace:
        """Run samples.

        Parameters
        ----------
        values : (B, T, inputs) whole numbers of any type, 0 .. 2**value_bits - 1
            T is `spec.timesteps`.

        Raises
        ------
        InputError
            If the shape does not fit, or a value is out of range or not whole: nothing wraps, nothing is rounded.
        """
        spec = self.spec
        check_values(values, spec.timesteps, spec.inputs)
        limit = (1 << spec.value_bits) - 1
        if values.numel() and int(values.max()) > limit:
            raise InputError(f"input values must be 0 .. {limit} ({spec.value_bits} bits), not {int(values.max())}")
        if values.is_floating_point() and not bool((fraction := values.frac()).eq(0).all()):
            raise InputError(f"values must be whole numbers, not {float(values[fraction != 0][0]):g}")
        all_spikes, all_membranes = [], []
        for layer, of_spec in zip(self.layers, spec.layers, strict=True):
            spikes, membranes = layer(values)
            all_spikes.append(spikes)
            all_membranes.append(membranes)
            values = sent(spikes, of_spec.onward)
        return Trace(tuple(all_spikes[:-1]), tuple(all_membranes), self.scores(all_membranes[-1])[-1])

    def scores(self, membranes: Tensor) -> list[Tensor]:
        """Scores (B, classes) after every step of the read-out's membranes (B, T, classes); zeros without a step."""
        steps = membranes.unbind(dim=1)
        return self.spec.decision.running(torch.where, steps) or [membranes.sum(dim=1)]

    def title(self) -> str:
        return self.spec.title().replace("NetworkSpec", "IntegerNetwork", 1)

    def facts(self) -> Facts:
        return self.spec.facts()

    def forward(self, values: Tensor) -> Tensor:
        """Scores (B, classes) int64 of values (B, T, inputs); see `run`."""
        return self.run(values).scores
