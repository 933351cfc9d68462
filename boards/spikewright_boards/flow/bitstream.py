"""From a build folder to a bitstream: yosys and nextpnr."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

from spikewright.build.folder import check_images
from spikewright.contract.errors import CheckFailed, InputError, errors_in
from spikewright.contract.names import verilog_files
from spikewright.contract.stream import StreamFormat
from spikewright.support.environment import amaranth_environment
from spikewright.support.files import MANIFEST, atomic_dir, read_manifest, sha256, write_json, write_manifest
from spikewright.support.progress import say
from spikewright_boards.catalog import FullBoard, find
from spikewright_boards.link.protocol import fingerprint

from .nextpnr import run_nextpnr
from .report import utilization
from .sources import core_sources
from .tools import Progress, find_tool, tool_version
from .top import TOP, BoardTop, clock_of
from .yosys import run_yosys, single_port_bits


class TimingMissed(CheckFailed):
    """The design does not reach the clock it was built for; `report` is what `synthesize` would have returned."""

    def __init__(self, message: str, report: dict[str, Any]) -> None:
        super().__init__(message)
        self.report = report


def synthesize(
    build_dir: Path | str,
    board: str,
    *,
    out_dir: Path | str | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a bitstream of a core that `spikewright generate` wrote.

    The Verilog and the memory images of the folder are synthesized as they are, under a top level with a serial line
    (see `spikewright_boards.link.protocol`). A core that is loaded at run time has no memory images: the bitstream is
    good for every network that `spikewright generate --image-for` makes a load image of.

    Parameters
    ----------
    build_dir : Path
        Folder by `spikewright generate`.
    board : str
        A name of `catalog.names`.
    out_dir : Path, optional
        Folder to make; `synth-<board>` in `build_dir` by default. It gets `top.bit` or `top.bin`, `report.json` (this
        function's result and the critical path), `yosys.log` and `nextpnr-<family>.log`; all of it, or nothing.
    clock_mhz : float, optional
        Clock of the core.
    seed : int
        Seed of the placement.
    progress : callable, optional
        Takes lines of progress; standard error by default.

    Returns
    -------
    dict
        `board`, `luts`, `ffs`, `brams`, `dsps`, `sprams` (on iCE40), `available` (of the same), `fmax_mhz`, `clock_mhz`
        (actual clock of the core), `met`, `bitstream` (path), `memories` (see `Memory`), `critical_path`, `seed`,
        `tools`, `core_sha256`, `seconds`.

    Raises
    ------
    InputError
        If the folder, the board or the clock is not usable, or a tool is missing.
    CheckFailed
        If the design does not fit, or a writable memory dissolved into flip-flops; it names it. No output is left.
    TimingMissed
        If the clock is missed. The output is complete then, and says so.
    """
    if progress is None:
        progress = say
    build_dir = Path(build_dir)
    target = find(board)
    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    flow = target.flow
    begin = time.monotonic()
    manifest = read_manifest(build_dir)
    verilog = [build_dir / name for name in verilog_files(manifest, build_dir / MANIFEST)]
    core = verilog[0]
    sources = core_sources(verilog, manifest)
    check_images(build_dir, manifest.get("images"))
    with errors_in(build_dir / MANIFEST):
        stream = StreamFormat.from_manifest(manifest)
    _check_ports(core, stream)
    try:
        clock = clock_of(target, clock_mhz)
    except ValueError as error:
        raise InputError(str(error)) from error
    for tool in ("yosys", flow.nextpnr, flow.pack):
        find_tool(tool)
    out = Path(out_dir) if out_dir is not None else build_dir / f"synth-{board}"
    with atomic_dir(out) as folder:
        work = folder / "work"
        work.mkdir()
        for source in sources:
            shutil.copyfile(source, work / source.name)
        _write_top(BoardTop(target, stream, clock, core.stem, fingerprint=fingerprint(sources)), target, work)
        large = single_port_bits(target.device.single_port, build_dir, manifest)
        memories = run_yosys(target, work, progress, verilog, large)
        run_nextpnr(target, work, seed, clock.mhz, progress)
        report = {
            "board": board,
            **utilization(flow, work),
            "clock_mhz": clock.mhz,
            "bitstream": str(out / f"{TOP}.{flow.bitstream}"),
            "memories": [memory.as_dict() for memory in memories],
            "seed": seed,
            "tools": {name: tool_version(name) for name in ("yosys", flow.nextpnr)},
            "core_sha256": sha256(work / core.name),
            "seconds": round(time.monotonic() - begin, 1),
        }
        report["met"] = report["fmax_mhz"] >= clock.mhz
        for name in (f"{TOP}.{flow.bitstream}", "yosys.log", f"{flow.nextpnr}.log"):
            (work / name).replace(folder / name)
        shutil.rmtree(work)
        write_json(folder / "report.json", report)
        write_manifest(folder, {"format": "spikewright-bitstream-1", "board": board})
    progress(f"{board}: {report['luts']} LUTs, {report['brams']} block RAMs, {report['fmax_mhz']:.1f} MHz")
    if not report["met"]:
        path = report["critical_path"]
        raise TimingMissed(
            f"{board} must reach {clock.mhz:g} MHz, not {report['fmax_mhz']:.1f} MHz "
            f"(from {path['from']} to {path['to']}; see {out / 'report.json'})",
            report,
        )
    return report


def _check_ports(core: Path, stream: StreamFormat) -> None:
    """A wrong width would be silently adapted by yosys."""
    try:
        text = core.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{core} must be Verilog, not a file that is no UTF-8 text") from error
    for port, size in (("s_axis_tdata", stream.input_bytes), ("m_axis_tdata", stream.output_bytes)):
        if not re.search(rf"\b(input|output)\s*\[{8 * size - 1}:0\]\s*{port}\b", text):
            raise InputError(f"{core} must have {8 * size} bits of {port}, as its manifest says")
    if bool(re.search(r"\binput\s*\[7:0\]\s*s_load_tdata\b", text)) != stream.loadable:
        raise InputError(f"{core} must have {'a' if stream.loadable else 'no'} load port, as its manifest says")


def _write_top(top: BoardTop, board: FullBoard, work: Path) -> None:
    # Verilog rather than RTLIL, as yosys heeds `no_rw_check` of memories in Verilog alone.
    with amaranth_environment(work):
        plan = board.platform().prepare(top, TOP, debug_verilog=True)
    for name, source in ((f"{TOP}.v", f"{TOP}.debug.v"), (f"{TOP}.{board.flow.constraints[1]}",) * 2):
        content = plan.files[source]
        (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())
