"""What was understood of a foreign network, node by node, for people and in JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikewright.nir.chain import Step
from spikewright.nir.network import ForeignLayer, ForeignNetwork
from spikewright.nir.nodes import Delay
from spikewright.nir.ops import steps_of
from spikewright.nir.rules import Floats


def describe(network: ForeignNetwork) -> list[dict[str, Any]]:
    """One object per node, in the order of the values: name, type, shape, and what is known of it.

    Neurons have the ranges of their constants and, under `rules`, each rule as [value, who gave it].
    """
    found: list[dict[str, Any]] = []
    for layer in network.layers:
        found += [_of_step(step, layer) for step in layer.layer.forward]
        if layer.layer.node is not None:
            found.append(_of_neurons(layer))
        found += [{**_of_step(step, layer), "loop": layer.name} for step in layer.layer.loop or ()]
    return found


def rows(network: ForeignNetwork) -> list[tuple[str, str]]:
    """The same as a table, with what was assumed at its end."""
    table = [("dialect", network.dialect.name), ("input", "x".join(map(str, network.input_shape)))]
    for node in describe(network):
        parts = [f"{node['type']} {'x'.join(map(str, node['shape']))}"]
        parts += [f"{key} {_range(node[key])}" for key in ("leak", "gain", "threshold", "start") if key in node]
        parts += [f"current {_range(node['syn_leak'])}, gain {_range(node['syn_gain'])}"] if "syn_leak" in node else []
        parts += [node["facts"]] if node.get("facts") else []
        parts += [f"{_range(node['delay'])} steps"] if "delay" in node else []
        parts += [f"loop of {node['loop']}"] if "loop" in node else []
        parts += [
            f"{key} {value} ({origin})"
            for key, (value, origin) in node.get("rules", {}).items()
            if _matters(value, origin)
        ]
        table.append((node["name"], ", ".join(parts)))
    table += [("assumed", sentence) for sentence in network.assumed]
    return table


def _matters(value: object, origin: str) -> bool:
    """Whether people want to see a rule: what nobody gave and is not there either is left to the JSON."""
    return origin != "assumed" or bool(value)


def _range(pair: list[float]) -> str:
    low, high = pair
    return " .. ".join(dict.fromkeys((f"{low:.6g}", f"{high:.6g}")))


def _of_step(step: Step, layer: ForeignLayer) -> dict[str, Any]:
    found: dict[str, Any] = {"name": step.name, "type": type(step.node).__name__, "shape": list(step.shape)}
    if isinstance(step.node, Delay):
        found["delay"] = _ends(steps_of(step.name, step.node, 1.0 if layer.rule is None else layer.rule.dt))
    elif facts := step.node.facts():
        found["facts"] = facts
    weight = getattr(step.node, "weight", None)
    if weight is not None:
        found["weights"] = int(weight.size)
        found["zeros"] = int(weight.size - np.count_nonzero(weight))
    return found


def _of_neurons(layer: ForeignLayer) -> dict[str, Any]:
    constants, rule = layer.constants, layer.rule
    assert constants is not None and rule is not None
    named = {
        "leak": constants.leak,
        "gain": constants.gain,
        "threshold": constants.threshold,
        "start": constants.start,
        "v_reset": constants.v_reset,
        "syn_leak": constants.syn_leak,
        "syn_gain": constants.syn_gain,
    }
    return {
        "name": layer.name,
        "type": type(layer.layer.node).__name__,
        "shape": list(layer.layer.shape),
        **{key: _ends(value) for key, value in named.items() if value is not None},
        "rules": {key: [getattr(rule, key), origin] for key, origin in layer.origins.items()},
    }


def _ends(values: Floats | np.ndarray[Any, Any]) -> list[float]:
    return [float(values.min()), float(values.max())]
