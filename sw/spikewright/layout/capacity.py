"""Capacities of a core whose memories are loaded at run time, and whether a network fits them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from math import ceil
from typing import Any

from spikewright.contract.bounds import layer_bounds
from spikewright.contract.capacity import LayerCapacity
from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES, ParallelCore, SharedCore
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError, errors_in
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, signed_bits, unsigned_bits
from spikewright.contract.layer import MAX_DELAY, OWN, LayerSpec
from spikewright.contract.names import Layers, check_lanes
from spikewright.contract.network import NetworkSpec
from spikewright.layout.lanes import layer_lanes
from spikewright.layout.pack import pack

_MOST = {"lanes": 64, "synapses": 1 << 24, "run": 1 << 16, "entries": 1 << 16, "delay": MAX_DELAY}
_MOST |= {f"onward_{name}": _MOST[name] for name in ("entries", "delay")}
_MOST_BITS = 64
_COMMON = tuple(dict.fromkeys(name for core in CORES.values() for name in core.shares))
_THINGS = {
    "synapses": "synapses of a lane",
    "run": "synapses of an axon in a lane",
    "entries": "entries of the program of delays",
    "delay": "longest delay",
    "onward_entries": "entries of the program of onward delays",
    "onward_delay": "longest onward delay",
    "threshold_bits": "bits of a threshold",
    "bias_bits": "bits of a bias",
    "state_bits": "bits of a membrane",
    "floor_bits": "bits of a floor",
    "membrane_bits": "bits of a membrane beside its current",
    "start_bits": "bits of a start",
    "leak_bits": "bits of a leak",
    "current_leak_bits": "bits of the leak of a current",
    "current_start_bits": "bits of the start of a current",
}


@dataclass(frozen=True)
class Capacity:
    """What a core can be loaded with.

    Parameters
    ----------
    layers : tuple of LayerCapacity
    score_bits : int
    kind : "parallel" or "shared"
        Kind of the core.
    common : dict
        What memories that belong to no single layer can hold, by the names of `CoreSpec.common`. A layer then has 0 of
        all but `entries`, `delay`, `state_bits`.
    """

    layers: tuple[LayerCapacity, ...]
    score_bits: int
    kind: Layers = "parallel"
    common: Mapping[str, LayerCapacity] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, LayerCapacity]:
        """All of them."""
        return {**self.common, **{f"layer {index}": layer for index, layer in enumerate(self.layers)}}

    @property
    def offset_bits(self) -> list[int]:
        """Widths of the offsets of the core's memories, in their order."""
        return [limit.offset_bits for limit in (self.common.values() or self.layers)]

    def as_dict(self) -> dict[str, Any]:
        common = {name: limit.as_dict() for name, limit in self.common.items()}
        return {"layers": [layer.as_dict() for layer in self.layers], "score_bits": self.score_bits, **common}

    @classmethod
    def from_dict(cls, value: Any) -> Capacity:
        """From what `as_dict` gave, after a way through a file.

        Raises
        ------
        InputError
            If something is missing, or no number that makes sense.
        """
        layers = value.get("layers") if isinstance(value, dict) else None
        if not isinstance(layers, list) or not layers or not all(isinstance(layer, dict) for layer in layers):
            raise InputError(f"capacity must be an object with a list of layers, not {value!r:.60}")
        checked = [_checked(f"layer {index}", layer) for index, layer in enumerate(layers)]
        names = tuple(name for name in _COMMON if value.get(name) is not None)
        for name in names:
            if not isinstance(value[name], dict):
                raise InputError(f"capacity of {name} must be an object, not {value[name]!r:.60}")
        _check("capacity: score_bits", value.get("score_bits"), _MOST_BITS)
        kinds = [kind for kind, core in CORES.items() if core.shares == names]
        if not kinds:
            raise InputError(f"capacity must be that of layers that are {' or '.join(CORES)}, not with {names}")
        return cls(tuple(checked), value["score_bits"], kinds[0], {name: _checked(name, value[name]) for name in names})


def _checked(where: str, values: dict[str, Any]) -> LayerCapacity:
    values = {**LayerCapacity.later(), **values}
    names = [each.name for each in fields(LayerCapacity)]
    for name in names:
        _check(f"capacity of {where}: {name}", values.get(name), _MOST.get(name, _MOST_BITS))
    with errors_in(f"capacity of {where}"):
        check_lanes(values["lanes"])
    return LayerCapacity(**{name: values[name] for name in names})


def _check(name: str, value: Any, most: int) -> None:
    if type(value) is not int or not 0 <= value <= most:
        raise InputError(f"{name} must be 0 .. {most}, not {value!r:.60}")


def capacity_for(
    networks: Sequence[NetworkSpec], lanes: int, margin: float = 0.0, layers: Layers = "parallel"
) -> Capacity:
    """The least capacity that every one of `networks` fits, enlarged by `margin` times itself.

    Numbers of synapses and of entries grow by that share, as do the ranges of thresholds, biases, membranes and scores
    that widths are chosen for; nothing grows beyond what any network of the same shape needs.

    Parameters
    ----------
    networks : sequence of NetworkSpec
        Networks of one shape, see `check_shape`.
    lanes : int
    margin : float
        At least 0.
    layers : "parallel" or "shared"
        See `pack`.
    """
    of_layers = [max(several) for several in zip(*(layer_lanes(network, lanes) for network in networks), strict=True)]
    cores = [pack(network, lanes, layers=layers, encoding="absolute", of_layers=of_layers) for network in networks]
    # Shorter offsets take more words: the same for all, before these are counted.
    of_cores = [core.memories.values() for core in cores]
    offset_bits = [max(image.offset_bits for image in several) for several in zip(*of_cores, strict=True)]
    cores = [
        pack(network, lanes, layers=layers, encoding="absolute", of_layers=of_layers, offset_bits=offset_bits)
        for network in networks
    ]
    needs = [_measure(core, offset_bits, 1 + margin) for core in cores]
    return Capacity(
        tuple(map(_largest, zip(*(need.layers for need in needs), strict=True))),
        max(need.score_bits for need in needs),
        layers,
        {name: _largest([need.common[name] for need in needs]) for name in needs[0].common},
    )


def _largest(several: Sequence[LayerCapacity]) -> LayerCapacity:
    return LayerCapacity(*(max(values) for values in zip(*map(astuple, several), strict=True)))


@dataclass(frozen=True)
class _Growth:
    """What a network needs, times a factor."""

    network: NetworkSpec
    factor: float

    def number(self, number: int, most: int) -> int:
        return max(number, min(ceil(number * self.factor), most))

    def bits(self, low: int, high: int) -> int:
        return signed_bits(ceil(abs(low) * self.factor) * (-1 if low < 0 else 1), ceil(max(high, 0) * self.factor))

    def leak_bits(self, decay: Decay | None, multipliers: IntArray | None) -> int:
        if decay is None or multipliers is None:
            return 0
        return unsigned_bits(self.number(int(multipliers.max()), 1 << decay.shift))

    def start_bits(self, start: IntArray | None) -> int:
        return 0 if start is None else self.bits(int(start.min()), int(start.max()))

    def layer(self, image: LayerImage, offset: int) -> LayerCapacity:
        spec = image.spec
        plans = dict.fromkeys(("", "onward_"), (0, 0))
        plans |= {name: (len(plan.program), plan.slots - 1) for name, plan in image.plans.items()}
        bounds = layer_bounds(spec, self.network.timesteps)
        threshold = None if spec.threshold is None else ceil(int(spec.threshold.max()) * self.factor)
        return LayerCapacity(
            lanes=image.lanes,
            synapses=self.number(max(map(len, image.data)), image.rows * spec.axons),
            run=self.number(int(image.lengths.max(initial=0)), image.rows),
            **{f"{name}entries": self.number(entries, spec.neurons) for name, (entries, _) in plans.items()},
            **{f"{name}delay": self.number(delay, MAX_DELAY) for name, (_, delay) in plans.items()},
            threshold_bits=0 if threshold is None else unsigned_bits(threshold),
            bias_bits=self.bits(int(spec.bias.min()), int(spec.bias.max())),
            state_bits=self.bits(*bounds.state),
            offset_bits=offset,
            start_bits=self.start_bits(spec.start),
            current_start_bits=self.start_bits(spec.current_start),
            leak_bits=self.leak_bits(spec.decay, spec.multipliers),
            current_leak_bits=self.leak_bits(spec.current_decay, spec.current_multipliers),
            # Even where each is its threshold, negated: others that are loaded may have other ones.
            floor_bits=0 if spec.floor is None else unsigned_bits(ceil(image.deepest * self.factor)),
            membrane_bits=0 if spec.current_decay is None else self.bits(*bounds.membrane),
        )


_Capacities = tuple[list[LayerCapacity], dict[str, LayerCapacity]]


def _parallel(core: ParallelCore, growth: _Growth, offset_bits: Sequence[int]) -> _Capacities:
    return list(map(growth.layer, core.layers, offset_bits)), {}


def _shared(core: SharedCore, growth: _Growth, offset_bits: Sequence[int]) -> _Capacities:
    layers = [growth.layer(image, 0) for image in core.layers]
    most = sum(image.rows * image.spec.axons for image in core.layers)
    engine = replace(
        _largest(layers),
        synapses=growth.number(max(map(len, core.engine.data)), most),
        run=growth.number(int(core.engine.lengths.max(initial=0)), core.engine.rows),
        **dict.fromkeys(("entries", "delay", "onward_entries", "onward_delay"), 0),
        offset_bits=offset_bits[0],
    )
    names = ("threshold", "bias", "floor", "start", "leak", "current_leak", "current_start")
    of_engine = dict.fromkeys(("synapses", "run", *(f"{name}_bits" for name in names)), 0)
    return [replace(layer, **of_engine) for layer in layers], {"engine": engine}


def _refused(core: CoreSpec, growth: _Growth, offset_bits: Sequence[int]) -> _Capacities:
    raise InputError(f"layers of a core that is loaded at run time must not be {core.kind}")


_MEASURES: dict[Layers, Callable[[Any, _Growth, Sequence[int]], _Capacities]] = {
    "parallel": _parallel,
    "shared": _shared,
    "slotted": _refused,
}


def _measure(core: CoreSpec, offset_bits: Sequence[int], factor: float) -> Capacity:
    network = core.network
    growth = _Growth(network, factor)
    layers, common = _MEASURES[core.kind](core, growth, offset_bits)
    score = max(growth.bits(*network.score_bounds), unsigned_bits(network.classes - 1) + 1)
    return Capacity(tuple(layers), score, core.kind, common)


def capacity_of(core: CoreSpec) -> Capacity:
    """What a core by `pack_into` can be loaded with."""
    assert core.score_capacity is not None
    layers = tuple(image.capacity for image in core.layers if image.capacity)
    common = {name: image.capacity for name, image in core.common.items() if image.capacity}
    return Capacity(layers, core.score_capacity, core.kind, common)


def check_shape(network: NetworkSpec, like: NetworkSpec) -> None:
    """Raise an InputError unless the two differ in nothing that is wired: only in what was learned."""
    for name, got, expected in (
        ("network", _sizes(network), _sizes(like)),
        ("timesteps", network.timesteps, like.timesteps),
        ("readout", network.readout, like.readout),
    ):
        if got != expected:
            raise InputError(f"{name} must be {expected}, not {got}")
    for index, (layer, other) in enumerate(zip(network.layers, like.layers, strict=True)):
        wired, wanted = _wired(layer), _wired(other)
        for name in {**wanted, **wired}:
            got, expected = (_shown(of.get(name)) for of in (wired, wanted))
            if got != expected:
                raise InputError(f"layer {index} {name} must be {expected}, not {got}")


def _wired(layer: LayerSpec) -> dict[str, Any]:
    """What is wired of a layer, but for its sizes."""
    names = ("recurrent", "decay", "current_decay", "weight_bits", "weight_shift", "value_bits")
    neuron = {} if layer.readout else {"neuron": layer.neuron.name, **asdict(layer.neuron)}
    optional = {name: getattr(layer, name) is not None for name in (*OWN, "onward")}
    return {**{name: getattr(layer, name) for name in names}, **optional, **neuron}


def _sizes(network: NetworkSpec) -> str:
    return "-".join(map(str, [network.inputs, *(layer.neurons for layer in network.layers)]))


def _shown(value: Any) -> str:
    return f"{value.multiplier}/{1 << value.shift}" if hasattr(value, "multiplier") else str(value).lower()


def pack_into(network: NetworkSpec, lanes: int, capacity: Capacity) -> CoreSpec:
    """Lay `network` out for a core of `capacity`.

    Raises
    ------
    InputError
        If it does not fit; names the layer, the limit and the value.
    """
    if len(capacity.layers) != len(network.layers):
        raise InputError(f"capacity must have {len(network.layers)} layers, not {len(capacity.layers)}")
    offset_bits = capacity.offset_bits
    of_layers = [layer.lanes for layer in capacity.layers]
    core = pack(network, lanes, layers=capacity.kind, encoding="absolute", of_layers=of_layers, offset_bits=offset_bits)
    needs = _measure(core, offset_bits, 1)
    for where, limit in capacity.named.items():
        need = needs.named[where]
        for name, thing in _THINGS.items():
            if getattr(need, name) > getattr(limit, name):
                raise InputError(f"{where}, {thing} must be at most {getattr(limit, name)}, not {getattr(need, name)}")
    if needs.score_bits > capacity.score_bits:
        raise InputError(f"bits of a score must be at most {capacity.score_bits}, not {needs.score_bits}")
    images = tuple(replace(image, capacity=limit) for image, limit in zip(core.layers, capacity.layers, strict=True))
    common: dict[str, Any] = {
        name: replace(image, capacity=capacity.common[name]) for name, image in core.common.items()
    }
    return replace(core, layers=images, score_capacity=capacity.score_bits, **common)
