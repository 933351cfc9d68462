"""Modules of a netlist in RTLIL, tidied before they become Verilog.

Amaranth makes a module of every component, lane by lane. Here those that differ in the contents of their memories only
become one, with the names of the images as parameters; names become plain identifiers of Verilog; wires of no width
and, as all registers that matter are reset, initial values are left out.

The text is that of `amaranth.back.rtlil`: a statement a line, blocks that end with `end`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MEMORIES = ("ram", "rom", "rom2")
"""Modules that are written by hand, in `spikewright_<memory>.v`: one for each kind of memory, a file of its own."""
IN_CORE = ("reset", "trace")
"""Likewise, in the core's own file."""
IF_USED = ("copy",)
"""Likewise, where the core has any."""
PARTS = (*IN_CORE, *IF_USED, *MEMORIES)
ROMS = ("spikewright_rom", "spikewright_rom2")
KEYWORDS = """
alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins
binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle class clocking cmos config const
constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do
edge else end endcase endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event expect
export extends extern final first_match for force foreach forever fork forkjoin function generate genvar
highz0 highz1 if iff ifnone ignore_bins illegal_bins import incdir include initial inout input inside instance
int integer interface intersect join join_any join_none large liblist library local localparam logic longint
macromodule matches medium modport module nand negedge new nmos nor noshowcancelled not notif0 notif1 null or
output package packed parameter pmos posedge primitive priority program property protected pull0 pull1
pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
realtime ref reg release repeat return rnmos rpmos rtran rtranif0 rtranif1 scalared sequence shortint
shortreal showcancelled signed small solve specify specparam static string strong0 strong1 struct super
supply0 supply1 table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0
tri1 triand trior trireg type typedef union unique unsigned use uwire var vectored virtual void wait
wait_order wand weak0 weak1 while wildcard wire with within wor xnor xor
"""
"""Of Verilog and SystemVerilog: no names."""
IMAGES = "IMAGES"
"""Parameter of every module with memory images below it: the folder they are in, with its slash."""
_NAME = re.compile(r"\\[^\s\"\\]+")
_MODULE = re.compile(r"module (\\\S+)")
_CELL = re.compile(r"\s*cell (\\\S+) (\\\S+)")
_PORT = re.compile(r"\s*wire width (\d+) (?:signed )?(input|output) \d+ +(\\\S+)")
_WIRE = re.compile(r"\s*wire width (\d+) .*?(\\\S+)$")
_CONNECT = re.compile(r"\s*connect (\\\S+) (.*)")
_FREE = re.compile(r"\s*parameter \\(IMAGE|DEPTH) (.*)")
"""What may differ between memories of one shape."""
_UNNAMED = re.compile(r"\\port\$\d+\$\d+")


@dataclass
class Cell:
    """A statement of several lines: an instance, a primitive, a process."""

    lines: list[str]
    module: str | None = None
    """Of an instance: the module's name, its backslash left out."""
    name: str = ""


@dataclass
class Parameter:
    """What a memory has of its own: the parameter `inner` of the instance `cell`, its value as RTLIL has it."""

    cell: str
    inner: str
    value: str

    @property
    def name(self) -> str:
        # The memory of a ROM is named "image", or "image_bits0" where it is split.
        part = self.cell.removeprefix("image") if self.cell.startswith("image") else f"{self.cell}_"
        return (self.inner + part if self.cell.startswith("image") else part + self.inner).upper()


@dataclass
class NetlistModule:
    """A module of a netlist.

    Attributes
    ----------
    name : str
        Its place in the hierarchy, with dots.
    head, body : list of str
        Attributes and wires; connections.
    cells : list of Cell
    parameters : list of Parameter
        What the memories in it and below have of their own.
    holds_images : bool
        Whether there are such memories.
    """

    name: str
    head: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    holds_images: bool = False


@dataclass(frozen=True)
class Tidied:
    """A netlist whose modules are shared, see `tidy`."""

    rtlil: str
    init: bool
    """Whether it has initial values."""
    parameters: dict[str, list[str]]
    """Names of the parameters of each module, `IMAGES` first; Verilog must declare what RTLIL cannot."""


def parse(text: str, *, init: bool) -> list[NetlistModule]:
    """The modules of a netlist, in their order; without initial values unless `init`."""
    modules: list[NetlistModule] = []
    lines = iter(line for line in text.splitlines() if line.strip())
    for line in lines:
        if start := _MODULE.match(line):
            modules.append(_module(start[1][1:], lines, init))
    return modules


def _module(name: str, lines: Iterator[str], init: bool) -> NetlistModule:
    module = NetlistModule(name)
    attributes: list[str] = []
    for line in lines:
        word = line.split(maxsplit=1)[0]
        if word == "end":
            break
        if word == "attribute":
            if init or not line.lstrip().startswith("attribute \\init "):
                attributes.append(line)
            continue
        if word in ("cell", "process"):
            cell = _block(line, lines)
            if init or not _only_zeros(cell):
                cell.lines[:0] = attributes
                module.cells.append(cell)
        elif word in ("wire", "memory"):
            module.head += [*attributes, line]
        else:
            module.body += [*attributes, line]
        attributes = []
    _without_empty_wires(module)
    return module


def _block(first: str, lines: Iterator[str]) -> Cell:
    block, depth = [first], 1
    while depth:
        line = next(lines)
        block.append(line)
        word = line.split(maxsplit=1)[0]
        depth += (word == "switch") - (word == "end")
    instance = _CELL.match(first)
    return Cell(block, instance[1][1:], instance[2][1:]) if instance else Cell(block)


def _only_zeros(cell: Cell) -> bool:
    """Whether this fills a memory with zeros, as those do that are written at run time."""
    if not cell.lines[0].lstrip().startswith("cell $meminit"):
        return False
    data = next(line for line in cell.lines if line.lstrip().startswith("connect \\DATA "))
    return not re.search(r"'[01]*1", data)


def _without_empty_wires(module: NetlistModule) -> None:
    empty = {found[2] for line in module.head if (found := _WIRE.match(line)) and found[1] == "0"}
    if empty:
        module.head = [line for line in module.head if not ((found := _WIRE.match(line)) and found[2] in empty)]
        module.body = [line for line in module.body if not ((found := _CONNECT.match(line)) and found[1] in empty)]


def tidy(text: str, top: str, *, init: bool = False) -> Tidied:
    """A netlist with plain names, in which equal modules are one.

    Parameters
    ----------
    text : str
        By `amaranth.back.rtlil.convert`, with `top` as the name.
    top : str
        Name of the outermost module, and with what all other names begin.
    init : bool
        Keep the initial values of registers and of memories that are written.
    """
    modules = {module.name: module for module in parse(text, init=init)}
    order = _leaves_first(modules, top)
    ports: dict[str, dict[str, str]] = {}
    for name in order:
        ports[name] = _rename(modules[name], modules, ports)
    groups, shared = _share(modules, order)
    names = _module_names(groups, top)
    constants = _constants(modules, shared)
    declared = {
        names[first]: [IMAGES] * modules[first].holds_images
        + [p.name for k, p in enumerate(modules[first].parameters) if constants[first][k] is None]
        for first in groups
    }
    written = [_text(modules, first, shared, names, constants, part_prefix(top)) for first in groups]
    return Tidied("\n".join(["attribute \\top 1", *reversed(written)]) + "\n", init, declared)


def part_prefix(top: str) -> str:
    """What the names of a core's modules begin with."""
    return top.removesuffix("_core")


def _leaves_first(modules: dict[str, NetlistModule], top: str) -> list[str]:
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for cell in modules[name].cells:
            if cell.module in modules and cell.module not in order:
                visit(cell.module)
        order[name] = None

    visit(top)
    return list(order)


def _rename(
    module: NetlistModule, modules: dict[str, NetlistModule], ports: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Give all wires of a module plain names; returns the new names of its ports."""
    meant = _meant_names(module, ports)
    new: dict[str, str] = {}
    taken = dict.fromkeys((f"\\{word}" for word in KEYWORDS.split()), 2)
    for line in module.head:
        if found := _WIRE.match(line):
            old = found[2]
            new[old] = _unused("\\" + re.sub(r"\W+", "_", meant.get(old, old)[1:]), taken)
    module.head = [_renamed(line, new) for line in module.head]
    module.body = [_renamed(line, new) for line in module.body]
    for cell in module.cells:
        inner = ports.get(cell.module or "", {})
        cell.lines = [_renamed_connection(line, inner, new) for line in cell.lines]
        if cell.module is not None:
            cell.name = _unused("\\" + re.sub(r"\W+", "_", cell.name), taken)[1:]
    return new


def _unused(name: str, taken: dict[str, int]) -> str:
    """The name, or the next free one that begins with it; `taken` has the number to try next for each."""
    found = name
    while found in taken:
        found = f"{name}_{taken[name]}"
        taken[name] += 1
    taken[found] = 2
    return found


def _renamed(line: str, new: dict[str, str]) -> str:
    return _NAME.sub(lambda found: new.get(found[0], found[0]), line)


def _renamed_connection(line: str, inner: dict[str, str], new: dict[str, str]) -> str:
    """A line of a cell: names of the instance's ports are those of the module in it."""
    if found := _CONNECT.match(line):
        return f"    connect {inner.get(found[1], found[1])} {_renamed(found[2], new)}"
    return _renamed(line, new)


def _meant_names(module: NetlistModule, ports: dict[str, dict[str, str]]) -> dict[str, str]:
    """Names for ports that Amaranth only numbers: those of the wire, or the instance's port, at their other end."""
    unnamed = {found[3]: found[2] for line in module.head if (found := _PORT.match(line)) and _UNNAMED.match(found[3])}
    if not unnamed:
        return {}
    ends: dict[str, str] = {}
    for line in module.body:
        if (found := _CONNECT.match(line)) and found[1] in unnamed:
            ends[found[2]] = found[1]
    meant: dict[str, str] = {}
    for cell in module.cells:
        inner = ports.get(cell.module or "")
        for line in cell.lines if inner is not None else ():
            if not (found := _CONNECT.match(line)):
                continue
            port = inner.get(found[1], found[1])[1:] if inner else found[1][1:]
            source = re.split(r" ", found[2], maxsplit=1)[0]
            if found[2] in ends:
                meant.setdefault(ends[found[2]], f"\\{cell.name}_{port}")
            elif source in unnamed:
                meant.setdefault(source, f"\\{port}")
    for end, port in ends.items():
        if end.startswith("\\"):
            meant.setdefault(port, end.split(" ", 1)[0])
    return {port: meant.get(port, f"\\{direction}") for port, direction in unnamed.items()}


def _share(modules: dict[str, NetlistModule], order: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The modules that are kept with all that are like them, and which stands for which."""
    by_text: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    shared: dict[str, str] = {}
    for name in order:
        module = modules[name]
        lines = [*module.head]
        for cell in module.cells:
            lines.append(f"{shared.get(cell.module, cell.module)} {cell.name}" if cell.module else "")
            for line in cell.lines[1:] if cell.module else cell.lines:
                if cell.module in ROMS and (free := _FREE.match(line)):
                    module.parameters.append(Parameter(cell.name, free[1], free[2]))
                    module.holds_images = True
                else:
                    lines.append(line)
            if cell.module in modules:
                inner = modules[cell.module]
                module.parameters += [Parameter(cell.name, p.name, p.value) for p in inner.parameters]
                module.holds_images |= inner.holds_images
        text = "\n".join([*lines, *module.body])
        first = by_text.setdefault(text, name)
        groups.setdefault(first, []).append(name)
        shared[name] = first
    return groups, shared


def _constants(modules: dict[str, NetlistModule], shared: dict[str, str]) -> dict[str, list[str | None]]:
    """Values of the parameters of each kept module; None where its instances differ."""
    values: dict[str, list[set[str]]] = {}
    for name in shared:
        first = shared[name]
        sets = values.setdefault(first, [set() for _ in modules[first].parameters])
        for k, parameter in enumerate(modules[name].parameters):
            sets[k].add(parameter.value)
    return {first: [next(iter(s)) if len(s) == 1 else None for s in sets] for first, sets in values.items()}


def _module_names(groups: dict[str, list[str]], top: str) -> dict[str, str]:
    """Names of the kept modules: their place, or what the places of all that are like them have in common."""
    taken = dict.fromkeys((top, *(f"{part_prefix(top)}_{part}" for part in PARTS)), 2)
    names = {}
    for first, members in sorted(groups.items(), key=lambda group: group[0]):
        if first == top:
            names[first] = top
            continue
        places = [member.split(".")[1:] for member in members]
        # Below the outermost module, which has the streams, is the core alone: no name needs to say so.
        places = [place[1:] if place[0] == "core" and len(place) > 1 else place for place in places]
        if len({len(place) for place in places}) > 1:
            places = [place[-1:] for place in places]
        parts = []
        for part in zip(*places, strict=True):
            common = part[0] if len(set(part)) == 1 else re.sub(r"(\$?\d+)+$", "", part[0])
            parts += [re.sub(r"\W+", "_", common)] * bool(common)
        names[first] = _unused("_".join([part_prefix(top), *parts]), taken)
    return names


def _text(
    modules: dict[str, NetlistModule],
    first: str,
    shared: dict[str, str],
    names: dict[str, str],
    constants: dict[str, list[str | None]],
    prefix: str,
) -> str:
    """A module in RTLIL. Values that are parameters stand there as `"@NAME@"`."""
    module = modules[first]
    given = {
        (p.cell, p.inner): f'"@{p.name}@"' if value is None else value
        for p, value in zip(module.parameters, constants[first], strict=True)
    }
    lines = [f"module \\{names[first]}", *module.head]
    for cell in module.cells:
        if cell.module is None:
            lines += cell.lines
            continue
        inner = shared.get(cell.module)
        attributes = cell.lines.index(next(line for line in cell.lines if line.lstrip().startswith("cell ")))
        lines += cell.lines[:attributes]
        kind = names[inner] if inner else cell.module.replace("spikewright_", f"{prefix}_", 1)
        lines.append(f"  cell \\{kind} \\{cell.name}")
        if inner is None:
            for line in cell.lines[attributes + 1 :]:
                free = _FREE.match(line) if cell.module in ROMS else None
                lines.append(f"    parameter \\{free[1]} {given[cell.name, free[1]]}" if free else line)
            if cell.module in ROMS:
                lines.insert(-1, f'    parameter \\{IMAGES} "@{IMAGES}@"')
            continue
        if modules[inner].holds_images:
            lines.append(f'    parameter \\{IMAGES} "@{IMAGES}@"')
        for p, value in zip(modules[inner].parameters, constants[inner], strict=True):
            if value is None:
                lines.append(f"    parameter \\{p.name} {given[cell.name, p.name]}")
        lines += cell.lines[attributes + 1 :]
    return "\n".join([*lines, *module.body, "end"])
