"""Capacities of a core whose memories are loaded at run time, and whether a network fits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from math import ceil
from typing import Any

from spikewright.contract.errors import InputError
from spikewright.contract.integers import signed_bits, unsigned_bits
from spikewright.contract.layout import LANES, CoreSpec, LayerCapacity, LayerImage, Layers
from spikewright.contract.network import MAX_DELAY, NetworkSpec
from spikewright.layout.pack import layer_lanes, pack

_MOST = {"lanes": 64, "synapses": 1 << 24, "run": 1 << 16, "entries": 1 << 16, "delay": MAX_DELAY}
_MOST_BITS = 64
_THINGS = {
    "synapses": "synapses of a lane",
    "run": "synapses of an axon in a lane",
    "entries": "entries of the program of delays",
    "delay": "longest delay",
    "threshold_bits": "bits of a threshold",
    "bias_bits": "bits of a bias",
    "state_bits": "bits of a membrane",
}


@dataclass(frozen=True)
class Capacity:
    """What a core can be loaded with.

    Parameters
    ----------
    layers : tuple of LayerCapacity
    score_bits : int
    engine : LayerCapacity, optional
        Of the lanes that the layers share, if they do. A layer then has 0 of all but `entries`, `delay`, `state_bits`.
    """

    layers: tuple[LayerCapacity, ...]
    score_bits: int
    engine: LayerCapacity | None = None

    @property
    def named(self) -> dict[str, LayerCapacity]:
        """All of them."""
        named = {f"layer {index}": layer for index, layer in enumerate(self.layers)}
        return named if self.engine is None else {"engine": self.engine, **named}

    def as_dict(self) -> dict[str, Any]:
        engine = {} if self.engine is None else {"engine": asdict(self.engine)}
        return {"layers": [asdict(layer) for layer in self.layers], "score_bits": self.score_bits, **engine}

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
        engine = value.get("engine")
        if engine is not None and not isinstance(engine, dict):
            raise InputError(f"capacity of engine must be an object, not {engine!r:.60}")
        _check("capacity: score_bits", value.get("score_bits"), _MOST_BITS)
        return cls(tuple(checked), value["score_bits"], None if engine is None else _checked("engine", engine))


def _checked(where: str, values: dict[str, Any]) -> LayerCapacity:
    names = [field.name for field in fields(LayerCapacity)]
    for name in names:
        _check(f"capacity of {where}: {name}", values.get(name), _MOST.get(name, _MOST_BITS))
    if values["lanes"] not in LANES:
        allowed = ", ".join(map(str, LANES))
        raise InputError(f"capacity of {where}: lanes must be one of {allowed}, not {values['lanes']}")
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
        Of one shape, see `check_shape`.
    lanes : int
    margin : float
        At least 0.
    layers : "parallel" or "shared"
        See `pack`.
    """
    of_layers = [max(several) for several in zip(*(layer_lanes(network, lanes) for network in networks), strict=True)]
    cores = [pack(network, lanes, layers=layers, encoding="absolute", of_layers=of_layers) for network in networks]
    # Shorter offsets take more words: the same for all, before these are counted.
    of_cores = [[core.engine] if core.engine else core.layers for core in cores]
    offset_bits = [max(image.offset_bits for image in several) for several in zip(*of_cores, strict=True)]
    cores = [
        pack(network, lanes, layers=layers, encoding="absolute", of_layers=of_layers, offset_bits=offset_bits)
        for network in networks
    ]
    needs = [_measure(core, offset_bits, 1 + margin) for core in cores]
    engines = [need.engine for need in needs if need.engine]
    return Capacity(
        tuple(map(_largest, zip(*(need.layers for need in needs), strict=True))),
        max(need.score_bits for need in needs),
        _largest(engines) if engines else None,
    )


def _largest(several: Sequence[LayerCapacity]) -> LayerCapacity:
    return LayerCapacity(*(max(values) for values in zip(*map(astuple, several), strict=True)))


def _measure(core: CoreSpec, offset_bits: Sequence[int], factor: float) -> Capacity:
    network = core.network

    def grown(number: int, most: int) -> int:
        return max(number, min(ceil(number * factor), most))

    def bits(low: int, high: int) -> int:
        return signed_bits(ceil(abs(low) * factor) * (-1 if low < 0 else 1), ceil(max(high, 0) * factor))

    def of_layer(image: LayerImage, offset: int) -> LayerCapacity:
        spec = image.spec
        bounds = spec.bounds(network.timesteps)
        delay = 0 if spec.delays is None else int(spec.delays.max())
        return LayerCapacity(
            lanes=image.lanes,
            synapses=grown(max(map(len, image.data)), image.rows * spec.axons),
            run=grown(int(image.lengths.max(initial=0)), image.rows),
            entries=grown(len(image.program), spec.neurons),
            delay=grown(delay, MAX_DELAY),
            threshold_bits=0 if spec.threshold is None else unsigned_bits(ceil(int(spec.threshold.max()) * factor)),
            bias_bits=bits(int(spec.bias.min()), int(spec.bias.max())),
            state_bits=bits(*bounds.membrane),
            offset_bits=offset,
        )

    score = max(bits(*network.score_bounds), unsigned_bits(network.classes - 1) + 1)
    if core.engine is None:
        return Capacity(tuple(map(of_layer, core.layers, offset_bits)), score)
    layers = [of_layer(image, 0) for image in core.layers]
    engine = replace(
        _largest(layers),
        synapses=grown(max(map(len, core.engine.data)), sum(image.rows * image.spec.axons for image in core.layers)),
        run=grown(int(core.engine.lengths.max(initial=0)), core.engine.rows),
        entries=0,
        delay=0,
        offset_bits=offset_bits[0],
    )
    common = {"synapses": 0, "run": 0, "threshold_bits": 0, "bias_bits": 0}
    return Capacity(tuple(replace(layer, **common) for layer in layers), score, engine)


def capacity_of(core: CoreSpec) -> Capacity:
    """What a core by `pack_into` can be loaded with."""
    assert core.score_capacity is not None
    engine = core.engine.capacity if core.engine else None
    return Capacity(tuple(image.capacity for image in core.layers if image.capacity), core.score_capacity, engine)


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
        for name in ("recurrent", "decay", "reset", "weight_bits", "weight_shift", "value_bits"):
            if layer.readout and name == "reset":
                continue
            got, expected = (_shown(getattr(of, name)) for of in (layer, other))
            if got != expected:
                raise InputError(f"layer {index} {name} must be {expected}, not {got}")


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
    offset_bits = [layer.offset_bits for layer in ([capacity.engine] if capacity.engine else capacity.layers)]
    of_layers = [layer.lanes for layer in capacity.layers]
    layers: Layers = "shared" if capacity.engine else "parallel"
    core = pack(network, lanes, layers=layers, encoding="absolute", of_layers=of_layers, offset_bits=offset_bits)
    needs = _measure(core, offset_bits, 1)
    for where, limit in capacity.named.items():
        need = needs.named[where]
        for name, thing in _THINGS.items():
            if getattr(need, name) > getattr(limit, name):
                raise InputError(f"{where}, {thing} must be at most {getattr(limit, name)}, not {getattr(need, name)}")
    if needs.score_bits > capacity.score_bits:
        raise InputError(f"bits of a score must be at most {capacity.score_bits}, not {needs.score_bits}")
    images = tuple(replace(image, capacity=limit) for image, limit in zip(core.layers, capacity.layers, strict=True))
    engine = replace(core.engine, capacity=capacity.engine) if core.engine else None
    return replace(core, layers=images, engine=engine, score_capacity=capacity.score_bits)
