"""The core to simulate: a build folder, what it should hold, and its simulation, compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikewright import __version__
from spikewright.build.folder import open_build
from spikewright.build.load_image import image_of
from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError
from spikewright.contract.names import CORE_NAME, verilog_files
from spikewright.contract.stream import events_of
from spikewright.support.caches import place_beside
from spikewright.support.files import MANIFEST, atomic_dir, read_json, sha256, write_manifest
from spikewright.support.locks import in_turn
from spikewright_hw.verilog import LOAD_IMAGE
from spikewright_sim.core.icarus import check_icarus, compile_icarus
from spikewright_sim.core.toolchain import DesignError, Program, check_tools, cocotb_main, compile_model
from spikewright_sim.core.traces import header

NETLIST = "netlist.json"
"""In the build folder of a netlist: what cells it has."""
PORTS = ("clk", "rst", "*axis*", "trace*", "s_load*", "loaded", "load_error")
NATIVE_MAIN = Path(__file__).parents[1] / "native" / "native.cpp"
NATIVE_SOURCES = (NATIVE_MAIN, NATIVE_MAIN.with_name("core.h"))
REFUSED = "the core refused the load image"

Progress = Callable[[str], None]
Engine = Literal["cocotb", "native", "icarus"]
"""Verilator under cocotb, in a C++ loop, or Icarus Verilog under cocotb, with four states."""


def beats(values: npt.NDArray[np.integer], stream: dict[str, int]) -> list[tuple[int, int]]:
    """Input beats (tdata, tlast) of a sample (T, inputs): per step its events by rising axon, then a mark."""
    return events_of(values, stream["axon_bits"], stream["mark_bit"], stream.get("events", 1))


@dataclass(frozen=True)
class Dut:
    """A core to simulate.

    Parameters
    ----------
    build_dir : Path
        Folder that `spikewright generate` made.
    core : CoreSpec
    stream : dict
        `stream` of the manifest: the fields of the beats of input and output.
    weights : bytes
        Load image; empty for a core that holds its network from the start.
    name : str
        Of the core's module.
    verilog : tuple of str
        Names of its files.
    """

    build_dir: Path
    core: CoreSpec
    stream: dict[str, int]
    weights: bytes = b""
    name: str = CORE_NAME
    verilog: tuple[str, ...] = (f"{CORE_NAME}.v",)

    @classmethod
    def open(cls, build_dir: Path, model: Path | str | None = None, image: Path | str | None = None) -> Dut:
        """Open a build folder; `model` and `image` as for `runner.simulate`.

        Raises
        ------
        InputError
            If the folder is not by `generate`, or a file of it or one of the others is damaged or missing.
        """
        manifest, core = open_build(build_dir, model)
        weights = _weights(build_dir, manifest, core, model, image)
        verilog = verilog_files(manifest, build_dir / MANIFEST)
        return cls(build_dir, core, manifest["stream"], weights, Path(verilog[0]).stem, tuple(verilog))

    @property
    def place(self) -> Path:
        """Where what is made of the build folder is kept: in it, unless it is read-only."""
        return place_beside(self.build_dir)

    def beats(self, values: npt.NDArray[np.integer]) -> list[tuple[int, int]]:
        """Input beats (tdata, tlast) of a sample (T, inputs)."""
        return beats(values, self.stream)

    @property
    def traced(self) -> bool:
        """Whether the core shows spikes and membranes: a netlist may be without."""
        file = self.build_dir / NETLIST
        return not file.is_file() or read_json(file, "netlist").get("trace", True) is True

    @property
    def settle(self) -> int:
        """Cycles in which a core surely finishes what it does after a result."""
        return self.core.settle

    @property
    def patience(self) -> int:
        """Cycles without any sign of life after which a core is given up.

        More than the longest step of any layer takes, in which every axon has an event.
        """
        longest = 0
        for layer in self.core.layers:
            synapses = max(len(data) for data in layer.data)
            longest = max(longest, synapses + 8 * layer.spec.axons)
        return 4 * (longest + self.settle) + 1000

    def compiled(
        self, engine: Engine, progress: Progress, *, waves: bool = False, toggles: bool = False, quick: bool = False
    ) -> Path:
        """The simulation of the build folder, compiled unless its Verilog was before.

        Parameters
        ----------
        waves : bool
            A native one that writes waves, of one sample.
        toggles : bool
            A native one that counts how often each net changes, in a file in the format SAIF.
        quick : bool
            Compile it quickly, see `compile_model`, if it was not compiled otherwise before. So is one with waves, and
            one for cocotb, which is much slower than the core that it drives. Of several processes, one compiles.
        """
        native = engine == "native"
        # Tells what is missing before anything is written.
        check_icarus() if engine == "icarus" else check_tools()
        verilog = [self.build_dir / name for name in self.verilog]
        name = f"simulation-{engine}{'-waves' if waves else '-toggles' if toggles else ''}"
        headers = {"layers.h": header(self.core, self.traced)} if native else {}
        stamp = " ".join([__version__, *map(sha256, (*verilog, *NATIVE_SOURCES)), *headers.values()])
        quick = quick or waves or not native
        names = [name, f"{name}-quick"] if quick else [name]
        place = self.place
        with in_turn(place / f".{names[-1]}.lock"):
            for folder in (base / name for name in names for base in (self.build_dir, place)):
                if _is_made(folder, stamp):
                    return folder / self.name
            simulator = "Icarus" if engine == "icarus" else "Verilator"
            progress(f"compiling the Verilog with {simulator}, for {'cocotb' if engine == 'icarus' else engine}")
            with atomic_dir(place / names[-1]) as part:
                try:
                    if engine == "icarus":
                        compile_icarus(verilog, self.name, part)
                    else:
                        main, libraries = (NATIVE_MAIN, []) if native else cocotb_main()
                        program = Program(
                            main, headers, libraries=libraries, vpi=not native, waves=waves, toggles=toggles
                        )
                        compile_model(verilog, self.name, part, program, ports=PORTS, quick=quick)
                except DesignError as error:
                    raise InputError(f"{verilog[0]} must be the core of its manifest: {error}") from error
                write_manifest(part, {"stamp": stamp})
        return place / names[-1] / self.name


def _is_made(folder: Path, stamp: str) -> bool:
    return (folder / MANIFEST).is_file() and read_json(folder / MANIFEST, "manifest").get("stamp") == stamp


def _weights(
    build_dir: Path, manifest: dict[str, Any], core: CoreSpec, model: Path | str | None, image: Path | str | None
) -> bytes:
    """The load image; none for a core that holds its network from the start."""
    if not core.loadable:
        if image is not None:
            raise InputError(f"{build_dir} must be made by `generate --weights loadable` to take a load image")
        return b""
    if image is None and model is not None:
        return image_of(build_dir, manifest, core)
    file = Path(image) if image is not None else build_dir / LOAD_IMAGE
    try:
        weights = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    if not weights:
        raise InputError(f"{file} must be a load image, not an empty file")
    return weights
