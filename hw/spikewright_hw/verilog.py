"""Verilog and memory images of a core."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment

from spikewright import __version__
from spikewright.contract.core import CoreSpec
from spikewright.contract.names import CORE_NAME, TRACE

from .core import AxiCore
from .modules import IF_USED, IMAGES, IN_CORE, MEMORIES, Tidied, part_prefix, tidy

LOAD_IMAGE = "weights.bin"
Split = Callable[[int, int], Sequence[int]]


@dataclass
class Images:
    """Platform that collects the contents of memories, so that they become files beside the netlist.

    Parameters
    ----------
    split : callable, optional
        Called with the number of words and the width of a read-only memory; returns the widths of the memories that it
        is split into, the lowest bits first.
    prefix : str
        What the names of all images begin with.
    """

    split: Split = lambda words, width: [width]
    prefix: str = ""
    images: dict[str, tuple[int, list[int]]] = field(default_factory=dict)

    def add_image(self, name: str, width: int, words: Sequence[int]) -> str:
        """Keep the contents of a memory; returns the name of their file."""
        name = self.prefix + name
        if name in self.images:
            raise ValueError(f"memory images must have different names, not {name} twice")
        self.images[name] = (width, list(words))
        return f"{name}.hex"

    def write(self, folder: Path) -> None:
        """`<name>.hex` of every memory, into the existing `folder`."""
        for name, (width, words) in self.images.items():
            (folder / f"{name}.hex").write_text(image_text(width, words))


def image_text(width: int, words: Sequence[int]) -> str:
    """Contents of a memory for `$readmemh`: a comment with its size, then a word per line."""
    digits = -(-width // 4)
    zeros = sum(not word for word in words)
    lines = [f"// {len(words)} words of {width} bits, {zeros} of them zero"]
    lines += [f"{word:0{digits}x}" for word in words]
    return "\n".join(lines) + "\n"


def header(spec: CoreSpec, name: str, trace: bool) -> str:
    """What a reader of the Verilog must know, as comments; and what linters need not tell of a generated file."""
    network = spec.network
    sizes = "-".join(map(str, (network.inputs, *(layer.neurons for layer in network.layers))))
    ports = ["  s_axis_*  events of a sample in, AXI4-Stream", "  m_axis_*  scores of the classes out, AXI4-Stream"]
    if spec.loadable:
        ports.append("  s_load_*  the load image in, AXI4-Stream, before the first event; then `loaded` is high")
    lines = [
        f"{name}: made by spikewright {__version__}, https://github.com/spikewright/spikewright",
        "",
        f"Network {sizes}, {network.timesteps} time steps, {sum(layer.synapses for layer in network.layers)} synapses.",
        *ports,
        f"  trace*    membranes and spikes, for simulation{'' if trace else f'; only where {TRACE} is defined'}",
        "Clock: `clk`, rising edge. Reset: `rst`, synchronous, active high; needed once, for a cycle or more.",
        f"Memory images are read from the folder that the parameter {IMAGES} names, with its slash at the end.",
        "Licence: this is output, made of your network; spikewright lays no claim to it.",
    ]
    return "\n".join([*(f"// {line}".rstrip() for line in lines), *_LINT]) + "\n"


_LINT = (
    "/* verilator lint_off CASEINCOMPLETE */  // Branches that are left out keep what was assigned before them.",
    "/* verilator lint_off WIDTHEXPAND */  // Operands that are narrower than their sum, as Verilog widens them.",
    "/* verilator lint_off WIDTHTRUNC */  // Sums of which the lower bits are wanted.",
    "/* verilator lint_off UNSIGNED */  // Comparisons with what happens to be 0 in this network.",
    "/* verilator lint_off UNUSEDSIGNAL */  // Names of signals that were optimized away, for whoever looks at waves.",
    "/* verilator lint_off VARHIDDEN */  // Modules have names of their own for what is in them.",
    "/* verilator lint_off DECLFILENAME */  // All modules are in one file.",
)


def verilog_of(netlist: Tidied) -> str:
    """Verilog of a netlist, with the parameters that its RTLIL cannot declare."""
    # Amaranth's own conversion is this too, but takes no netlist.
    yosys = find_yosys(lambda version: version >= (0, 40))
    script = f"""
        read_rtlil <<rtlil
        {netlist.rtlil}
rtlil
        proc -nomux -norom
        memory_collect
        attrmap -modattr -remove top -remove generator
        write_verilog
    """
    text: str = yosys.run(["-q", "-"], script, ignore_warnings=True)
    if not netlist.init:
        # What starts the combinational processes of a simulation is a register with an initial value, too.
        text = re.sub(r"\n.*\\\$auto\$verilog_backend.*", "", text)
    text = re.sub(r'"@(\w+)@"', r"\1", text)
    return re.sub(r"^module (\w+)\(", lambda found: _declaration(found[1], netlist), text, flags=re.MULTILINE)


def _declaration(module: str, netlist: Tidied) -> str:
    parameters = netlist.parameters.get(module)
    if not parameters:
        return f"module {module}("
    values = (f"parameter {name} = {_default(name)}" for name in parameters)
    return f"module {module} #({', '.join(values)}) ("


def _default(parameter: str) -> str:
    if parameter == IMAGES:
        return '"./"'
    return "2" if "DEPTH" in parameter else '""'


def _has(text: str, name: str, part: str) -> bool:
    """Whether there is an instance of such a module."""
    return re.search(rf"^\s*{part_prefix(name)}_{part} ", text, re.MULTILINE) is not None


def _part(name: str, part: str) -> str:
    """A source that is written by hand, with the name of a core's own."""
    source = Path(__file__).with_name(f"spikewright_{part}.v").read_text()
    return source.replace("spikewright_", f"{part_prefix(name)}_")


def _trace_on_demand(text: str, name: str) -> str:
    """Make the trace ports of the core's module wires where `TRACE` is not defined: all else is the same."""
    before, head, inner = re.split(rf"^(module {name}\b[^;]*;\n)", text, maxsplit=1, flags=re.MULTILINE)
    inner, end, after = inner.partition("endmodule")
    traced = re.findall(r"\btrace(?:_valid|\d+_\w+)\b", head)
    names = "|".join(traced)
    ports = rf"^  output (?:\[\d+:0\] )?(?:{names});\n"
    declared = "".join(re.findall(ports, inner, re.MULTILINE))
    inner = re.sub(ports, "", inner, flags=re.MULTILINE)
    head = re.sub(rf",\s+(?:{names})\b", "", head).removesuffix(");\n")
    head += f"\n`ifdef {TRACE}\n  , {', '.join(traced)}\n`endif\n);\n`ifdef {TRACE}\n{declared}`endif\n"
    return "".join([before, head, inner, end, after])


def _always_traced(text: str) -> str:
    """As where `TRACE` is defined, without the macro."""
    return re.sub(rf"^`ifdef {TRACE}\n(.*?)(?:^`else\n.*?)?^`endif\n", r"\1", text, flags=re.MULTILINE | re.DOTALL)


def load_image(spec: CoreSpec) -> tuple[bytes, bytes]:
    """The load image of a core whose memories are loaded at run time, and its fingerprint, see `Loader`."""
    core = AxiCore(spec)
    assert core.loader is not None
    Fragment.get(core, Images())  # Amaranth warns of what was made and is part of no design.
    return core.loader.image(), core.loader.fingerprint


def generate(
    spec: CoreSpec,
    folder: Path,
    split: Split | None = None,
    *,
    name: str = CORE_NAME,
    init: bool = False,
    trace: bool = False,
) -> dict[str, Any]:
    """Write the Verilog and the memory images, or the load image, of `spec` into the existing `folder`.

    Parameters
    ----------
    spec : CoreSpec
    folder : Path
    split : callable, optional
        See `Images`.
    name : str
        Of the core and of its file. The names of all modules begin with it (less a final "_core"), and those of memory
        images too where it is not `CORE_NAME`, so that cores of several names can be in one design. Each kind of
        memory that the core has is a module in a file of its own.
    init : bool
        Write the initial values of registers. Without them, a core must be reset before it is used.
    trace : bool
        The core has its trace ports in any case. Without, only where the macro `TRACE` is defined.

    Returns
    -------
    dict
        For the manifest: `top`, `verilog` (its files, that of `top` first), `images` (by name: `words`, `width`),
        `stream` (what a host must know of the beats), `state_bits` (of a membrane, by layer) and `score_bits`; where
        memories are loaded at run time, `load`: `image` and its `bytes`, `fingerprint`, `memories` (as `images`).
    """
    core = AxiCore(spec)
    images = Images() if split is None else Images(split)
    images.prefix = "" if name == CORE_NAME else f"{part_prefix(name)}_"
    netlist = rtlil.convert(
        core,
        name=name,
        platform=images,
        emit_src=False,
        missing_domain=lambda name: ClockDomain(name, reset_less=True),
    )
    text = _trace_on_demand(verilog_of(tidy(netlist, name, init=init)), name)
    used = [part for part in IF_USED if _has(text, name, part)]
    text = "\n".join([header(spec, name, trace), text, *(_part(name, part) for part in (*IN_CORE, *used))])
    text = _always_traced(text) if trace else text
    files = {f"{name}.v": text}
    for memory in MEMORIES:
        if _has(text, name, memory):
            files[f"{part_prefix(name)}_{memory}.v"] = _part(name, memory)
    for file, content in files.items():
        (folder / file).write_text(content)
    images.write(folder)
    load: dict[str, Any] = {}
    if core.loader is not None:
        image = core.loader.image()
        (folder / LOAD_IMAGE).write_bytes(image)
        load["load"] = {
            "image": LOAD_IMAGE,
            "bytes": len(image),
            "fingerprint": core.loader.fingerprint.hex(),
            "memories": {target.name: {"words": target.depth, "width": target.width} for target in core.loader.targets},
        }
    network = spec.network
    return {
        "top": name,
        "verilog": list(files),
        "images": {name: {"words": len(words), "width": width} for name, (width, words) in images.images.items()},
        "stream": {
            **core.format.widths(),
            "inputs": network.inputs,
            "timesteps": network.timesteps,
        },
        "state_bits": {f"layer{index}": spec.membrane_bits(index) for index in range(len(spec.layers))},
        "score_bits": core.core.score_bits,
        **load,
    }
