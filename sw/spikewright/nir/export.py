"""NIR files of our own networks, and of imported ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.networks import SpikingLayer, SpikingNetwork
from spikewright.nir.graph import Edge, Graph, without_ports
from spikewright.nir.network import ForeignNetwork
from spikewright.nir.nodes import fields_of, read_node
from spikewright.nir.rules import Floats
from spikewright.support.files import atomic_path

DT = 1e-4
"""Seconds of a step in the file: what snnTorch and SpikingJelly take a step for."""
VERSION = "1.0.8"
"""Of the NIR format that is written."""
_RESETS = {
    "hard": "zero",
    "soft": "sub",
    "late": "sub_delayed",
    "none": "none",
    "dead": "zero_after",
    "twice": "snn_sub_nodelay",
}
# A reset by subtraction is one to zero for snnTorch when it reads, and none that Norse and SpikingJelly have.
READERS = {"spikewright": tuple(_RESETS), "norse": ("hard",), "snntorch": ("hard",), "spikingjelly": ("hard",)}
"""Resets that a library has for what it reads."""
_STRICT = ("spikewright", "norse", "snntorch")
"""Libraries that have neurons that fire above their threshold alone."""
EXPORTED = frozenset({"lif"})
"""Neurons that the format has a node for."""
_NEVER = 1e9
"""Threshold of a read-out for libraries that read no integrators."""


def export_nir(
    network: SpikingNetwork | ForeignNetwork, path: Path | str, dialect: str = "spikewright"
) -> dict[str, str]:
    """Write a network as a NIR file.

    A network of our own is written with `r = 1` and thresholds times dt / tau, at a dt of 1e-4 s, the one form of
    feed-forward leaky integrate-and-fire neurons that snnTorch, Norse and SpikingJelly read alike; batch norms and the
    scale of the input are folded into the weights. Delays are in it, but no library reads them rightly. An imported
    network is written as it was read, its sub-graphs dissolved.

    Parameters
    ----------
    network : SpikingNetwork or ForeignNetwork
    path : path
    dialect : str
        Of whom the file is for: "spikewright" for everything there is, "norse", "snntorch" or "spikingjelly" for what
        these read rightly. The latter two read no integrators: the read-out is of neurons that never fire. Of an
        imported network it stays that of its library.

    Returns
    -------
    dict
        Settings with which `import_nir` reads a network of our own back, in the dialect `spikewright`; those of an
        imported one. For the latter two libraries the decision has to be "sum" besides.

    Raises
    ------
    InputError
        If a neuron, or the read-out, is not in the terms of NIR or of the library; says which.
    """
    if dialect not in READERS:
        raise InputError(f"dialect must be one of {', '.join(READERS)}, not {dialect!r:.60}")
    if isinstance(network, ForeignNetwork):
        graph = without_ports(network.graph, past_weights=network.dialect.for_all("rewire_rnn_input"))
        settings: dict[str, str] = network.dialect.to_dict()["settings"]
    else:
        graph, settings = _graph_of(network, dialect)
    with atomic_path(Path(path)) as temporary:
        _write(temporary, graph)
    return settings


def _graph_of(network: SpikingNetwork, dialect: str) -> tuple[Graph, dict[str, str]]:
    config = network.config
    if config.readout != "sum":
        raise InputError(f"readout of a network to export must be 'sum', not {config.readout!r}")
    nodes: dict[str, dict[str, Any]] = {"input": {"type": "Input", "shape": np.array([config.inputs])}}
    edges: list[Edge] = []
    settings: dict[str, str] = {}
    resets: dict[str, str] = {}
    last = "input"
    for index, layer in enumerate(network.spiking_layers()):
        if layer.config.neuron not in EXPORTED:
            raise InputError(f"neuron of layer {index} must be lif to be exported, not {layer.config.neuron}")
        if layer.config.reset not in READERS[dialect]:
            theirs = " or ".join(READERS[dialect])
            raise InputError(f"reset of layer {index} must be {theirs} for {dialect}, not {layer.config.reset}")
        if layer.config.tau_syn != 1:
            raise InputError(f"tau_syn of layer {index} must be 1 to be exported, not {layer.config.tau_syn:g}")
        if layer.config.max_spikes > 1 and dialect != "spikewright":
            raise InputError(f"max_spikes of layer {index} must be 1 for {dialect}, not {layer.config.max_spikes}")
        if layer.config.strict and dialect not in _STRICT:
            raise InputError(f"strict of layer {index} must be false for {dialect}, not true")
        _check_constants(index, layer, dialect)
        if dialect == "spikingjelly" and layer.config.tau == 1:
            raise InputError(f"tau of layer {index} must be above 1 step for spikingjelly, not 1")
        if layer.config.recurrent and dialect != "spikewright":
            raise InputError(f"layer {index} must have no recurrence for {dialect}, which reads no delays, not one")
        scale = config.input_scale if index == 0 else 1.0
        names = {key: f"{key}{index}" for key in ("fc", "lif", "delay", "w_rec", "onward")}
        nodes |= _layer(layer, scale, names)
        edges += [(last, names["fc"]), (names["fc"], names["lif"])]
        if layer.config.recurrent:
            way = [names["lif"], *(name for key in ("delay", "w_rec") if (name := names[key]) in nodes), names["lif"]]
            edges += zip(way, way[1:], strict=False)
        resets[names["lif"]] = _RESETS[layer.config.reset]
        if layer.config.strict:
            settings[f"{names['lif']}.cmp"] = ">"
        if layer.config.max_spikes > 1:
            settings[f"{names['lif']}.multispike"] = "true"
            settings[f"{names['lif']}.max_spikes"] = str(layer.config.max_spikes)
        if "floor" in layer.config.own:
            settings[f"{names['lif']}.v_min"] = repr(_lowest(layer))
        last = names["lif"]
        if layer.config.onward:
            edges.append((last, names["onward"]))
            last = names["onward"]
    kinds = set(resets.values())
    if len(kinds) == 1:
        settings = {"reset": kinds.pop(), **settings}
    else:
        settings = {**{f"{name}.reset": reset for name, reset in resets.items()}, **settings}
    readout = network.readout
    if set(readout.own) - {"leak"} or readout.current_decay or config.readout_tau == math.inf:
        others = "without a synaptic current and a floor, not otherwise"
        raise InputError(f"readout of a network to export must start at 0 and leak, {others}")
    share = 1.0 - (readout.decay if readout.leak is None else readout.leak.double().numpy())
    nodes["fc"] = _affine(readout.weight, readout.bias)
    nodes["li"] = {"type": "LI", **_constants(config.classes, tau=DT / share, r=1.0 / share, v_leak=0.0)}
    if dialect in ("snntorch", "spikingjelly"):
        nodes["li"] |= {"type": "LIF", **_constants(config.classes, v_threshold=_NEVER, v_reset=0.0)}
    nodes["output"] = {"type": "Output", "shape": np.array([config.classes])}
    edges += [(last, "fc"), ("fc", "li"), ("li", "output")]
    return Graph({name: read_node(fields) for name, fields in nodes.items()}, tuple(edges)), settings


def _check_constants(index: int, layer: SpikingLayer, dialect: str) -> None:
    """Refuse what neither the format nor a setting for a whole node can say."""
    config = layer.config
    if dialect != "spikewright" and (config.onward or config.own or config.tau == math.inf):
        raise InputError(f"layer {index} must have a leak, no constants of its own and no delays for {dialect}")
    for name in ("start", "current_start"):
        if name in config.own:
            raise InputError(f"{name} of layer {index} must be 0 to be exported, not one for each neuron")
    if "leak" in config.own and bool((_shares(layer) == 0).any()):
        raise InputError(f"leak of layer {index} must be below 1 for all its neurons or for none, not for some")
    if "floor" in config.own and len(set(_floors(layer).tolist())) > 1:
        raise InputError(f"floor of layer {index} must be the same for all neurons to be exported, not one for each")


def _shares(layer: SpikingLayer) -> Floats:
    """(N,): of the membranes, what leaks away in a step."""
    if "leak" in layer.config.own:
        leaks: Floats = layer.leak.double().numpy()
        return 1.0 - leaks
    return np.full(layer.config.neurons, 1.0 / layer.config.tau)


def _scales(layer: SpikingLayer) -> Floats:
    """(N,): by which membranes are smaller in the file."""
    shares = _shares(layer)
    return np.where(shares == 0.0, 1.0, shares)


def _floors(layer: SpikingLayer) -> Floats:
    floors: Floats = layer.floor.double().numpy() * _scales(layer)
    return floors


def _lowest(layer: SpikingLayer) -> float:
    return float(_floors(layer)[0])


def _layer(layer: SpikingLayer, input_scale: float, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    weight, bias = layer.folded(input_scale)
    size = layer.config.neurons
    constants: dict[str, float | Floats] = {"v_threshold": layer.config.threshold * _scales(layer), "v_reset": 0.0}
    if layer.config.tau == math.inf and "leak" not in layer.config.own:
        neurons = {"type": "IF", **_constants(size, r=1.0 / DT, **constants)}
    else:
        neurons = {"type": "LIF", **_constants(size, tau=DT / _shares(layer), r=1.0, v_leak=0.0, **constants)}
    nodes: dict[str, dict[str, Any]] = {names["fc"]: _affine(weight, bias), names["lif"]: neurons}
    if layer.config.onward:
        nodes[names["onward"]] = {"type": "Delay", "delay": layer.onward.double().numpy() * DT}
    if layer.config.recurrent:
        delays = layer.delays.detach().round().double().numpy()
        if delays.any():
            nodes[names["delay"]] = {"type": "Delay", "delay": delays * DT}
        nodes[names["w_rec"]] = {"type": "Linear", "weight": layer.recurrent_weight.detach().float().numpy()}
    return nodes


def _affine(weight: torch.Tensor, bias: torch.Tensor) -> dict[str, Any]:
    return {"type": "Affine", "weight": weight.detach().float().numpy(), "bias": bias.detach().float().numpy()}


def _constants(size: int, **values: float | Floats) -> dict[str, Floats]:
    return {name: np.full(size, value) for name, value in values.items()}


def _write(path: Path, graph: Graph) -> None:
    import h5py

    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        file.create_dataset("version", data=VERSION, dtype=text)
        top = file.create_group("node")
        top.create_dataset("type", data="NIRGraph", dtype=text)
        top.create_dataset("edges", data=np.array(graph.edges, dtype=object), dtype=text)
        nodes = top.create_group("nodes")
        for name, node in graph.nodes.items():
            if "/" in name:
                raise InputError(f"name of a node must have no '/' to be exported, not {name!r:.80}")
            group = nodes.create_group(name)
            for key, value in fields_of(node).items():
                if isinstance(value, str):
                    group.create_dataset(key, data=value, dtype=text)
                else:
                    group.create_dataset(key, data=value)
