"""Dialects: what a library means by a NIR file, and the file does not say. They are data.

A dialect is a JSON file with these objects::

    dialect     rules of every node, by the keys of `KEYS`
    per_type    rules of every node of a type, before those of `dialect`
    per_node    rules of a node, before the others
    choices     for a key that the library leaves open: its values, and what each is called there
    tau_steps   lowest and highest tau in steps of dt that the library writes; others need `--set dt=`
    hint        what to say then
    library, version, evidence      for people

`dialects/` holds one for each library and version; `about.json` of a set of test vectors is one too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError
from spikewright.nir.graph import named
from spikewright.support.files import read_json

RESETS = {
    "zero": "to v_reset in the step of the spike",
    "sub": "threshold taken off in the step of the spike",
    "sub_delayed": "threshold taken off one step later",
    "zero_before": "to v_reset before the next step",
    "zero_after": "the step after a spike ends at v_reset, its input lost",
    "snn_sub_nodelay": "threshold taken off before the next comparison if still above, given back without a spike",
    "none": "no reset",
}
_LEAST_NORMAL = 1e-300


def _one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


@dataclass(frozen=True)
class Key:
    """A rule: whether a value is right, in words which are, and the value where none is given (`...`: one must be)."""

    fits: Callable[[Any], bool]
    constraint: str
    default: Any = ...


KEYS: dict[str, Key] = {
    "dt": Key(lambda value: _number(value) and value > _LEAST_NORMAL, "seconds of a step, above 0"),
    "decay": Key(_one_of("euler", "exp"), "euler (1 - dt/tau) or exp (exp(-dt/tau))", "euler"),
    "gain": Key(
        lambda value: _number(value) or _one_of("nir", "one", "leak")(value),
        "nir (r times 1 - leak), one, leak, or a number",
        "nir",
    ),
    "gain_syn": Key(
        lambda value: _number(value) or _one_of("nir", "one")(value),
        "nir (w_in times 1 - leak), one, or a number",
        "nir",
    ),
    "cmp": Key(_one_of(">", ">="), "> or >="),
    "reset": Key(_one_of(*RESETS), f"one of {', '.join(RESETS)}"),
    "multispike": Key(lambda value: type(value) is bool, "true or false", False),
    "max_spikes": Key(lambda value: value is None or _whole(value, 1, 1 << 16), "1 .. 65536 or null", None),
    "v_min": Key(lambda value: value is None or _number(value), "a number or null", None),
    "v_reset": Key(lambda value: value is None or _number(value), "a number, or null for that of the file", None),
    "v0": Key(lambda value: _number(value) or _one_of("v_leak", "v_reset")(value), "v_leak, v_reset or a number", 0),
    "latency": Key(lambda value: _whole(value, 0, 4095), "0 .. 4095 steps", 0),
    "rockpool_syn": Key(lambda value: type(value) is bool, "true or false", False),
    "rewire_rnn_input": Key(lambda value: type(value) is bool, "true or false", False),
    "flatten": Key(
        _one_of("channels_first", "channels_last"),
        "channels_first or channels_last, the order behind Flatten",
        "channels_first",
    ),
    "pool_padding": Key(
        lambda value: type(value) is bool, "true, or false where padding of pools is not what NIR means", True
    ),
    "precision": Key(_one_of("float32", "float64"), "float32 or float64", "float64"),
}
_FOR_ALL = ("rewire_rnn_input", "flatten", "pool_padding", "precision")
"""Rules of the network, not of a node."""


@dataclass(frozen=True)
class Dialect:
    """A dialect with what the user set; see the module.

    Parameters
    ----------
    name : str
        Of the library and version, or of a file.
    rules, per_type, per_node : mappings
        Rules by key, those of a type by its name, those of a node by its name.
    settings : mapping
        What the user set for all nodes, by key.
    node_settings : mapping
        What the user set for a node, by its name.
    choices : mapping
        Values of a key that are left open, with what they mean.
    tau_steps : tuple of float, optional
    hint : str
    """

    name: str
    rules: Mapping[str, Any]
    per_type: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_node: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    node_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tau_steps: tuple[float, float] | None = None
    hint: str = ""

    def rule(self, key: str, node: str, kind: str) -> tuple[Any, str]:
        """Value of a rule for a node, and who gave it: "dialect", "--set" or nobody, "assumed".

        Raises
        ------
        InputError
            If it is left open; lists the choices.
        """
        places = (
            (self.node_settings.get(node, {}), "--set"),
            (self.per_node.get(node, {}), "dialect"),
            (self.per_type.get(kind, {}), "dialect"),
            (self.settings, "--set"),
            (self.rules, "dialect"),
        )
        for rules, origin in places:
            if key in rules:
                return rules[key], origin
        if key in self.choices:
            listed = "; ".join(f"{value} ({meaning})" for value, meaning in self.choices[key].items())
            raise InputError(
                f"{named(node)}: {key} is not in the file and must be given by --set {key}=VALUE or "
                f"--set {node}.{key}=VALUE: {listed}"
            )
        if KEYS[key].default is ...:
            raise InputError(
                f"{named(node)}: {key} must be given by --set {key}=VALUE or --set {node}.{key}=VALUE: "
                f"{KEYS[key].constraint}"
            )
        return KEYS[key].default, "assumed"

    def for_all(self, key: str) -> Any:
        """Value of a rule of the network."""
        return self.settings.get(key, self.rules.get(key, KEYS[key].default))

    def check_nodes(self, names: Mapping[str, object]) -> None:
        """InputError where a rule is for a node that is none of the `names`."""
        for rules, where in ((self.per_node, f"dialect {self.name}: per_node"), (self.node_settings, "--set")):
            for name in rules:
                if name not in names:
                    raise InputError(f"{where} must name a neuron of the file ({_listed(names)}), not {name!r:.80}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values: `from_dict(**dialect.to_dict())` is the same dialect."""
        content = {
            "dialect": dict(self.rules),
            "per_type": {owner: dict(rules) for owner, rules in self.per_type.items()},
            "per_node": {owner: dict(rules) for owner, rules in self.per_node.items()},
            "choices": {key: dict(meanings) for key, meanings in self.choices.items()},
            "tau_steps": None if self.tau_steps is None else list(self.tau_steps),
            "hint": self.hint,
        }
        settings = {key: json.dumps(value) for key, value in self.settings.items()}
        for node, rules in self.node_settings.items():
            settings.update({f"{node}.{key}": json.dumps(value) for key, value in rules.items()})
        return {"name": self.name, "content": content, "settings": settings}


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(list(names)[:12])


def shipped() -> dict[str, Any]:
    """Shipped dialects by name, LIBRARY-VERSION; each a file in a folder."""
    folder = resources.files("spikewright.nir") / "dialects"
    return {item.name.removesuffix(".json"): item for item in folder.iterdir() if item.name.endswith(".json")}


def load_dialect(source: str | Path, settings: Mapping[str, str] | None = None) -> Dialect:
    """A dialect, with settings.

    Parameters
    ----------
    source : str or Path
        Name of a shipped one, with or without its version (the newest), or a JSON file.
    settings : mapping, optional
        `{"reset": "zero", "lif1.dt": "0.001"}`: values in JSON, or plain text.

    Raises
    ------
    InputError
        If there is no such dialect, or a key or value in it or in the settings is wrong.
    """
    known = shipped()
    fitting = [name for name in known if str(source) in (name, name.rpartition("-")[0])]
    path = Path(source)
    if fitting and not path.is_file():
        name = max(fitting, key=lambda name: [int(part) for part in name.rpartition("-")[2].split(".")])
        path = Path(str(known[name]))
    elif path.is_file():
        name = str(source)
    else:
        raise InputError(f"dialect must be a JSON file or one of {', '.join(sorted(known))}, not {source}")
    content = read_json(path, "dialect", limit=1 << 22, finite=False)
    try:
        from_dict(name, content, {})
    except InputError as error:
        raise InputError(f"dialect {source}: {error}") from None
    return from_dict(name, content, settings or {})


def from_dict(name: str, content: Mapping[str, Any], settings: Mapping[str, str]) -> Dialect:
    """As `load_dialect`, of the content of a file."""
    tables = {key: content.get(key, {}) for key in ("dialect", "per_type", "per_node", "choices")}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{key} must be an object, not {table!r:.60}")
    if "dialect" not in content:
        raise InputError("dialect must be given, an object of rules, not left out")
    _check_rules(tables["dialect"], "dialect")
    for key in ("per_type", "per_node"):
        for owner, rules in tables[key].items():
            if not isinstance(rules, dict):
                raise InputError(f"{key}.{owner} must be an object, not {rules!r:.60}")
            _check_rules(rules, f"{key}.{owner}")
    for key, meanings in tables["choices"].items():
        if key not in KEYS or not isinstance(meanings, dict):
            raise InputError(f"choices.{key} must be an object of the values of one of {', '.join(KEYS)}")
    steps = content.get("tau_steps")
    if steps is not None and not (isinstance(steps, list) and len(steps) == 2 and all(map(_number, steps))):
        raise InputError(f"tau_steps must be two numbers, not {steps!r:.60}")
    overall: dict[str, Any] = {}
    of_nodes: dict[str, dict[str, Any]] = {}
    for full, text in settings.items():
        node, _, key = full.rpartition(".")
        if key not in KEYS or (node and key in _FOR_ALL):
            raise InputError(f"--set {full} must end with one of {', '.join(KEYS)}, not {key!r:.60}")
        value = _parsed(text)
        if not KEYS[key].fits(value):
            raise InputError(f"--set {full} must be {KEYS[key].constraint}, not {text!r:.60}")
        (of_nodes.setdefault(node, {}) if node else overall)[key] = value
    return Dialect(
        name=name,
        rules=tables["dialect"],
        per_type=tables["per_type"],
        per_node=tables["per_node"],
        settings=overall,
        node_settings=of_nodes,
        choices=tables["choices"],
        tau_steps=None if steps is None else (float(steps[0]), float(steps[1])),
        hint=str(content.get("hint", "")),
    )


def _check_rules(rules: Mapping[str, Any], where: str) -> None:
    for key, value in rules.items():
        if key not in KEYS:
            raise InputError(f"{where}.{key} must be one of {', '.join(KEYS)}, not an unknown rule")
        if not KEYS[key].fits(value):
            raise InputError(f"{where}.{key} must be {KEYS[key].constraint}, not {value!r:.60}")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
