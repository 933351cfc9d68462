"""Calibrated rounding: the integers of a neuron that change its membrane least on recordings.

Layer by layer, the weights of each neuron are rounded together (`spikewright.integer.lattice`), so that the error of
its membrane is small where that counts:

- The error is that of the membrane on recordings: the inputs are low-pass filtered by the neuron's leak. That of the
  read-out is the error of the scores.
- A step counts the more, the nearer the membrane is to the threshold: only there does an error change a spike.
- The layer gets the spikes of the integer layers before it, and is fitted to what the float network computes from its
  own spikes: so it makes good some of what earlier layers lost (Li et al. 2025, GPTAQ).
- The scale of a neuron is chosen by the same error, and its bias, which is not rounded as coarsely, takes up the mean.

Zeros stay zero, and each neuron has a problem of its own over its non-zero weights, which is small in a sparse network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_samples
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.integer.lattice import Lattice
from spikewright.integer.reference import IntegerLayer, sent
from spikewright.integer.rounding import (
    FoldedLayer,
    RoundedLayer,
    allowed_scales,
    largest_weight,
    nearest_integers,
    nearest_scales,
    quantize,
    widest_scales,
)
from spikewright.learn.networks import SpikingLayer, SpikingNetwork

_SHARES = (1.0, 0.93, 0.86, 0.8, 0.74, 0.68, 0.62, 0.56, 0.5)
"""Of the largest weight, that the largest integer may stand for; the rest is clipped."""
_WIDTH = 0.125
"""Distance from the threshold, as a share of it, at which a step counts half: as the surrogate gradient of training."""
_DAMPING = 0.01
"""Added to the moments, as a share of their mean: what the recordings say nothing about is rounded to the nearest."""
_RIDGE = 0.1
"""As a share of the mean moment: how dear it is to move weights away from the float network's, before rounding."""
_COUNTED: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda of_steps: of_steps.sum(dim=0),
    "max": lambda of_steps: of_steps.flatten(0, 1),
    "last": lambda of_steps: of_steps[-1],
}
"""By decision, of which membranes (T, B, classes) of the read-out an error counts: (rows, classes)."""
_BATCH = 64  # samples at a time
_NEURONS = 32  # neurons at a time


def calibrate(
    network: SpikingNetwork, counts: Tensor, *, weight_bits: int = 8, value_bits: int | None = None
) -> NetworkSpec:
    """Integer network of a float network, its weights rounded for the given recordings.

    Parameters
    ----------
    network : SpikingNetwork
    counts : (samples, T, inputs) integers
        At least one sample; of the training part, so that nothing is fitted to what is tested. No labels are needed.
    weight_bits, value_bits : int
        As for `quantize`.

    Returns
    -------
    NetworkSpec
        Weights that are zero stay zero.

    Raises
    ------
    InputError
        If the network cannot be quantized, or the counts do not fit it.
    """
    return quantize(
        network, weight_bits=weight_bits, value_bits=value_bits, rounding=CalibratedRounding(network, counts)
    )


def choose(counts: Tensor, samples: int, seed: int) -> Tensor:
    """`samples` of the counts (all, T, inputs), or all if there are fewer, drawn at random without repetition."""
    order = torch.randperm(len(counts), generator=torch.Generator().manual_seed(seed))
    return counts[order[:samples].sort().values]


class CalibratedRounding:
    """A `Rounding` of the layers of one network, in their order.

    Parameters
    ----------
    network : SpikingNetwork
    counts : (samples, T, inputs) integers
        Larger ones than the width of the inputs count as the largest.

    Raises
    ------
    InputError
        If there are no counts, or of another shape.
    """

    @torch.no_grad()
    def __init__(self, network: SpikingNetwork, counts: Tensor) -> None:
        check_samples("counts to calibrate on", counts, network.config.timesteps, network.config.inputs)
        if not len(counts):
            raise InputError("counts to calibrate on must be of at least one sample, not 0")
        if counts.is_floating_point() or counts.is_complex():
            raise InputError(f"counts to calibrate on must be integers, not {counts.dtype}")
        self.rounded: list[RoundedLayer] = []
        """The rounding of the layers so far."""
        self._layers: list[SpikingLayer | None] = [*network.spiking_layers(), None]
        self._readout = network.readout
        self._counted = _COUNTED[network.config.readout]
        mode = network.training
        network.eval()
        # Events (T, B, axons) of batches of samples: into the layer, of the float and of the integer network.
        self._float = [batch.permute(1, 0, 2) for batch in torch.split(counts, _BATCH)]
        self._integer = self._float
        self._spikes = [
            [s.permute(1, 0, 2).to(torch.uint8) for s in network.run(batch).spikes]
            for batch in torch.split(counts, _BATCH)
        ]
        network.train(mode)

    @torch.no_grad()
    def __call__(self, folded: FoldedLayer, weight_bits: int, before: Sequence[LayerSpec]) -> RoundedLayer:
        index = len(before)
        if index:
            limit = (1 << before[-1].value_bits) - 1
            previous = IntegerLayer(before[-1])
            self._integer = [
                sent(previous(x.long().clamp(max=limit).transpose(0, 1))[0], before[-1].onward).transpose(0, 1)
                for x in self._integer
            ]
            source = self._layers[index - 1]
            assert source is not None
            self._float = [source.sent(spikes[index - 1].transpose(1, 2)).transpose(1, 2) for spikes in self._spikes]
        steps = self._steps(self._layers[index], folded)
        self.rounded.append(_round_layer(folded, weight_bits, steps))
        return self.rounded[-1]

    def _steps(self, layer: SpikingLayer | None, folded: FoldedLayer) -> _Steps:
        # Where neurons have leaks of their own, inputs are filtered by the usual one: what counts most is exact.
        usual = float(folded.leak.mean())
        inputs, lost, importance = [], [], []
        for number, (exact, integer) in enumerate(zip(self._float, self._integer, strict=True)):
            spikes = None
            x, y = exact.double(), integer.double()
            if layer is not None:
                spikes = self._spikes[number][len(self.rounded)].double()
                if layer.config.recurrent:
                    own = _delayed(spikes, layer.delays.round().long())
                    x, y = torch.cat([x, own], dim=2), torch.cat([y, own], dim=2)
            y = torch.cat([y, torch.ones_like(y[:, :, :1])], dim=2)  # the axon of the bias
            current = x @ folded.weights.T
            lost_current = current - y[:, :, :-1] @ folded.weights.T
            neuron = self._readout if layer is None else layer.own_neuron(columns=False)
            if neuron.current_decay:
                of_current = neuron.current_share
                y = _filtered(y, float(torch.as_tensor(of_current).mean()))
                lost_current = _filtered(lost_current, of_current)
            y, lost_current = _filtered(y, usual), _filtered(lost_current, folded.leak)
            if layer is None or spikes is None:
                inputs.append(self._counted(y))
                lost.append(self._counted(lost_current))
                importance.append(torch.ones(1))
                continue
            times = _membranes(current + folded.bias, spikes, layer) / layer.config.threshold
            distance = times - times.round().clamp(1, layer.neuron.most)
            inputs.append(y.flatten(0, 1).float())
            lost.append(lost_current.flatten(0, 1).float())
            importance.append((1.0 / (1.0 + (distance / _WIDTH).square())).flatten(0, 1).float())
        return _Steps(torch.cat(inputs), torch.cat(lost), torch.cat(importance) if layer is not None else None)


@dataclass(frozen=True)
class _Steps:
    """What is known of the R steps of all recordings (of the read-out: of its R recordings).

    `inputs` (R, axons + 1), filtered, of the integer network, the last for the bias; `lost` (R, neurons), what the
    membranes lack if they add the float weights of these inputs; `importance` (R, neurons), or None if all count alike.
    """

    inputs: Tensor
    lost: Tensor
    importance: Tensor | None


def _delayed(spikes: Tensor, delays: Tensor) -> Tensor:
    """Spikes (T, B, N), each neuron's 1 + its delay steps later."""
    out = torch.zeros_like(spikes)
    for neuron, lag in enumerate((1 + delays).tolist()):
        if lag < len(spikes):
            out[lag:, :, neuron] = spikes[: len(spikes) - lag, :, neuron]
    return out


def _filtered(x: Tensor, decay: Tensor | float) -> Tensor:
    """(T, ...): what a membrane without threshold has of every input."""
    out = x.clone()
    for t in range(1, len(out)):
        out[t] += decay * out[t - 1]
    return out


def _membranes(current: Tensor, spikes: Tensor, layer: SpikingLayer) -> Tensor:
    """(T, B, N) before the reset."""
    neuron = layer.own_neuron(columns=False)
    if neuron.current_start is not None and len(current):
        current = torch.cat([current[:1] + neuron.current_share * neuron.current_start, current[1:]])
    u = _filtered(current, neuron.current_share)
    v, before = neuron.first(u[0]), None
    for t in range(len(u)):
        u[t] = neuron.charge(u[t], v, before)
        v, before = neuron.left(u[t], spikes[t], v), spikes[t]
    return u


@dataclass(frozen=True)
class _Problem:
    """Rounding of some neurons of a layer: their lattice, and what makes weights and bias of what it finds.

    `axons`, per neuron, of its columns of the lattice; `start` (N, M), the float weights; `mean` (N, M), of the axons,
    by which the bias takes up the weights' mean error; `shift` (N,), what the bias takes up anyway.
    """

    neurons: Tensor
    axons: list[Tensor]
    lattice: Lattice
    start: Tensor
    mean: Tensor
    shift: Tensor


def _round_layer(folded: FoldedLayer, weight_bits: int, steps: _Steps) -> RoundedLayer:
    weights = folded.weights
    neurons = torch.arange(len(weights))
    problems = [_problem(folded, weight_bits, steps, some) for some in torch.split(neurons, _NEURONS)]
    lowest = torch.full((len(weights),), torch.inf, dtype=weights.dtype)
    best = RoundedLayer(torch.zeros_like(weights), torch.ones_like(lowest), folded.bias)
    widest = widest_scales(folded, weight_bits)
    scales = [nearest_scales(folded, weight_bits), *(allowed_scales(folded, widest / share) for share in _SHARES)]
    for scale in scales:
        integers, bias, error = torch.zeros_like(weights), folded.bias.clone(), torch.zeros_like(lowest)
        for problem in problems:
            some = problem.neurons
            start = nearest_integers(problem.start, scale[some], weight_bits)
            found, error[some] = problem.lattice.solve(start, scale[some])
            rest = found / scale[some].unsqueeze(1) - problem.lattice.weights
            bias[some] += problem.shift - (rest * problem.mean).sum(dim=1)
            for row, (neuron, axons) in enumerate(zip(some.tolist(), problem.axons, strict=True)):
                integers[neuron, axons] = found[row, : len(axons)]
        if folded.threshold is None:
            error = error.sum().expand(len(error))
        better = error < lowest
        lowest = torch.where(better, error, lowest)
        best = RoundedLayer(
            torch.where(better.unsqueeze(1), integers, best.weights),
            torch.where(better, scale, best.scale),
            torch.where(better, bias, best.bias),
        )
    return best


def _problem(folded: FoldedLayer, weight_bits: int, steps: _Steps, neurons: Tensor) -> _Problem:
    of_neurons = [torch.nonzero(folded.weights[neuron]).flatten() for neuron in neurons]
    width = max(1, *(len(axons) for axons in of_neurons))
    start = folded.weights.new_zeros(len(neurons), width)
    target, mean, shift = start.clone(), start.clone(), start.new_zeros(len(neurons))
    # An axon that is none has a weight of 0 and a moment of its own, so that it stays at 0.
    moments = torch.eye(width, dtype=start.dtype).repeat(len(neurons), 1, 1)
    for row, (neuron, axons) in enumerate(zip(neurons.tolist(), of_neurons, strict=True)):
        count = len(axons)
        columns = torch.cat([axons, torch.tensor([steps.inputs.shape[1] - 1])])
        x = steps.inputs[:, columns]
        weighted = x if steps.importance is None else x * steps.importance[:, neuron].unsqueeze(1)
        second, cross = (weighted.T @ x).double(), (weighted.T @ steps.lost[:, neuron]).double()
        # The best bias for given weights is known, so that only what it cannot take up is an error of the weights.
        average = second[:-1, -1] / second[-1, -1]
        central = second[:-1, :-1] - torch.outer(average, second[:-1, -1])
        identity = torch.eye(count, dtype=start.dtype) * central.diagonal().mean().clamp(min=1e-9) if count else central
        moved = torch.linalg.solve(central + _RIDGE * identity, cross[:-1] - average * cross[-1])
        start[row, :count] = folded.weights[neuron, axons]
        target[row, :count] = start[row, :count] + moved
        mean[row, :count] = average
        shift[row] = cross[-1] / second[-1, -1] - average @ moved
        moments[row, :count, :count] = central + _DAMPING * identity
    return _Problem(neurons, of_neurons, Lattice(target, moments, largest_weight(weight_bits)), start, mean, shift)
