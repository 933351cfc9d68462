"""Single components of the core in Verilator: several of a kind share one compiled simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from spikewright.contract.errors import CheckFailed
from spikewright.support.environment import amaranth_environment
from spikewright_hw.modules import PARTS
from spikewright_hw.verilog import Images
from spikewright_sim.bench.runner import run_bench
from spikewright_sim.core.toolchain import Program, cocotb_main, compile_model

TOP = "components"


class SideBySide(wiring.Component):
    """Components that share nothing but clock and reset.

    Parameters
    ----------
    components : dict

    Members
    -------
    <name> : Out
        All members of the component of this name; a signal `x` becomes the port `<name>__x`. A member `reset` is driven
        by the reset that they share.
    """

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = dict(components)
        super().__init__({name: Out(component.signature) for name, component in components.items()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, component in self._components.items():
            m.submodules[name] = component
            # Not `wiring.connect`, as it cannot flip arrays of interfaces.
            flat = component.signature.flatten
            for (path, member, inner), (_, _, outer) in zip(flat(component), flat(getattr(self, name)), strict=True):
                if path == ("reset",):
                    # That of a component with registers of its own for it.
                    m.d.comb += inner.eq(ResetSignal())
                else:
                    m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        return m


@dataclass(frozen=True)
class Compiled:
    """A simulation of components, whose memory images are read when a run starts."""

    executable: Path
    verilog: str


def _convert(components: Mapping[str, Any], folder: Path) -> tuple[str, Images]:
    images = Images()
    with amaranth_environment(folder):
        text = verilog.convert(SideBySide(components), name=TOP, platform=images, strip_internal_attrs=True)
    return text, images


def compile_components(components: Mapping[str, Any], folder: Path) -> Compiled:
    """Compile components into the existing `folder`.

    Raises
    ------
    InputError
        If a tool is missing, or does not work.
    DesignError
        If the compilation fails; quotes the last lines of its log.
    """
    import spikewright_hw.verilog

    text, _ = _convert(components, folder)
    main, libraries = cocotb_main()
    source = folder / f"{TOP}.v"
    parts = [Path(spikewright_hw.verilog.__file__).with_name(f"spikewright_{part}.v") for part in PARTS]
    source.write_text(text)
    executable = compile_model(
        [source, *parts],
        TOP,
        folder / "model",
        Program(main, libraries=libraries, vpi=True),
        ports=("*",),
        quick=True,
    )
    return Compiled(executable, text)


def run_components(
    compiled: Compiled, components: Mapping[str, Any], module: str, job: Mapping[str, Any], folder: Path, *, seed: int
) -> dict[str, Any]:
    """Run the bench `module` in the existing `folder`; returns what it recorded, by component.

    Parameters
    ----------
    compiled : Compiled
    components : dict
        Like the compiled ones up to the contents of their memories, which are those of this run.
    module : str
        Such as "spikewright_sim.bench.layer".
    job : dict, JSON-ready
        For the bench, by component.
    seed : int
        Seed of every random number of the bench.

    Raises
    ------
    ValueError
        If the components differ from the compiled ones in more than contents.
    CheckFailed
        If the bench stopped the simulation; quotes the end of its log.
    """
    text, images = _convert(components, folder)
    if text != compiled.verilog:
        raise ValueError("components must be those that were compiled, up to the contents of memories")
    images.write(folder)
    files = {key: folder / f"{key}.json" for key in ("job", "recording")}
    files["recording"].unlink(missing_ok=True)
    files["job"].write_text(json.dumps({"seed": seed, "components": job}))
    log = run_bench(
        compiled.executable,
        module,
        folder,
        seed=seed,
        env={f"SPIKEWRIGHT_{key.upper()}": str(path) for key, path in files.items()},
    )
    if not files["recording"].is_file():
        raise CheckFailed(f"the simulation was stopped by its bench, seed {seed}:\n{log[-3000:]}")
    recording: dict[str, Any] = json.loads(files["recording"].read_text())
    return recording
