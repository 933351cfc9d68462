"""From an integer network to Verilog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from spikewright.api.result import Result
from spikewright.api.source import AnyPath, Model, model_file
from spikewright.build.generate import Loadable, build
from spikewright.contract import defaults
from spikewright.contract.errors import InputError
from spikewright.contract.names import CORE_NAME, Layers, unusual
from spikewright.contract.shown import Facts, thousands
from spikewright.support.progress import step

_KEYS = (
    "lanes",
    "layers",
    "target",
    "network",
    "removed",
    "weights",
    "synapses",
    "memory_bits",
    "encoding",
    "encodings",
    "state_bits",
    "predicted_cycles",
    "stream",
)


class Build(Result):
    """A build folder: Verilog, memory images and a manifest. It can be given wherever a path is taken.

    Attributes
    ----------
    path : Path
        The folder.
    verilog : Path
        The core in it.
    lanes : int
    synapses, weights : int
        Weights that are stored, and all of them.
    memory_bits : dict
        By memory, those of all lanes together.
    predicted_cycles : dict
        `silent_sample`: clock cycles of a sample without any event.
    """

    lanes: int
    synapses: int
    weights: int
    memory_bits: dict[str, int]
    predicted_cycles: dict[str, int]

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        facts = {key: manifest[key] for key in _KEYS}
        loaded = {"capacity": manifest.get("capacity"), "load": manifest.get("load")}
        super().__init__({"build_dir": str(path), **facts, **loaded})
        self.path = path
        self.verilog = path / manifest["verilog"][0]

    def __fspath__(self) -> str:
        return str(self.path)

    def title(self) -> str:
        return f"{type(self).__name__} {self.path}"

    def facts(self) -> Facts:
        bits, removed = self.memory_bits, self["removed"]
        return [
            ("network", "-".join(map(str, self["network"]))),
            ("lanes", "".join([str(self.lanes), *(f", {word} by all layers" for word in unusual(self["layers"]))])),
            *((("removed", _removed(removed)),) if removed else ()),
            ("synapses stored", f"{thousands(self.synapses)} of {thousands(self.weights)} weights"),
            ("memory", f"{thousands(sum(bits.values()))} bits"),
            *((f"  {name.replace('_', ' ')}", thousands(value)) for name, value in bits.items()),
            *(
                (f"  encodings of {name}", _sizes(sizes, self["encoding"][name]))
                for name, sizes in self["encodings"].items()
            ),
            ("membranes", ", ".join(f"{bits} bits" for bits in self["state_bits"].values())),
            ("cycles, silent sample", thousands(self.predicted_cycles["silent_sample"])),
            ("Verilog", str(self.verilog)),
            *([("load image", f"{thousands(self['load']['bytes'])} bytes")] if self["load"] else []),
        ]


def generate(
    model: Model,
    out: AnyPath,
    *,
    lanes: int = defaults.LANES,
    layers: Layers = "parallel",
    encoding: str = "auto",
    target: str | None = None,
    without_idle: bool = False,
    weights: Literal["fixed", "loadable"] = "fixed",
    margin: float | None = None,
    room_for: Sequence[Model] = (),
    name: str = CORE_NAME,
    init: bool = False,
    trace: bool = False,
) -> Build:
    """Write a core in plain Verilog with its memory images; zero weights are not stored.

    Parameters
    ----------
    model : IntegerNetwork, NetworkSpec, or file by `quantize`
    out : path
        Folder to make; one that this made before is replaced.
    lanes : int
        1, 2, 4, ... or 64: synapses that are done at once.
    layers : "parallel" or "shared"
        Every layer has lanes of its own, all at work at once; or all take turns on the same ones.
    encoding : str
        How memories tell the neuron of a synapse: "absolute", "relative" or "bitmap"; "auto" takes the least.
    target : "ecp5", "gowin" or "ice40", optional
        Family of devices for whose block RAM encodings and memories are chosen; "ecp5" by default. The Verilog is for
        any.
    without_idle : bool
        Leave out neurons without effect on the scores.
    weights : "fixed" or "loadable"
        In the memories from the start, or loaded at run time.
    margin : float, optional
        Loadable: capacity beyond what the networks need, as a share of that; 0.25 by default.
    room_for : sequence of models
        Loadable: other networks that must fit.
    name : str
        Of the core, with which the names of all its modules begin: cores of different names can be in one design.
    init : bool
        Write the initial values of registers; without them, a core must be reset before it is used.
    trace : bool
        Give the core its trace ports: membranes and spikes. Without, it has them only where the macro
        `SPIKEWRIGHT_TRACE` is defined, as it is in `simulate`.

    Raises
    ------
    InputError
        If the model is damaged, an option is out of its range or has no meaning, or `out` is somebody else's folder.
    """
    if weights not in ("fixed", "loadable"):
        raise InputError(f"weights must be fixed or loadable, not {weights!r}")
    if weights == "fixed":
        for option, given in (("margin", margin is not None), ("room_for", bool(room_for))):
            if given:
                raise InputError(f"{option} must be left out without weights='loadable'")
    with ExitStack() as files, step("Generating Verilog and memory images"):
        loadable = None
        if weights == "loadable":
            others = [files.enter_context(model_file(other)) for other in room_for]
            loadable = Loadable(defaults.MARGIN if margin is None else margin, others)
        manifest = build(
            files.enter_context(model_file(model)),
            Path(out),
            lanes,
            layers=layers,
            encoding=encoding,
            target=target,
            without_idle=without_idle,
            loadable=loadable,
            name=name,
            init=init,
            trace=trace,
        )
    return Build(Path(out), manifest)


def _removed(removed: dict[str, list[list[int]]]) -> str:
    counts = {why: sum(map(len, numbers)) for why, numbers in removed.items()}
    return (
        f"{counts['dead']} neurons without effect, {counts['silent']} that cannot fire; "
        f"{counts['inputs']} inputs have no synapses"
    )


def _sizes(sizes: dict[str, dict[str, int]], chosen: str) -> str:
    return ", ".join(
        f"{name} {thousands(size['bits'])} bits" + (" (chosen)" if name == chosen else "")
        for name, size in sizes.items()
    )
