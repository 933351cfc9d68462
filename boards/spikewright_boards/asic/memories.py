"""Memories of a core on an ASIC: macros where there are some, registers and constant logic where there are none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from spikewright.contract.errors import InputError
from spikewright.support.files import decode_text

BLACK_BOX_BITS = 1024
"""Bits from which a memory is a black box of its own, where these are asked for."""
BLACK_BOXES = "blackbox"
SHIPPED = Path(__file__).with_name("macros")
"""Maps of macros that one can have, each a file that is found by its name."""
_SIGNALS = ("clock", "read_enable", "read_address", "read_data", "write_enable", "write_address", "write_data")
_NAME = re.compile(r"[A-Za-z_]\w{0,99}")
_SIZES = ("area_um2", "clock_pj", "read_pj", "write_pj", "leakage_uw")
_KEYS = frozenset(("name", "words", "bits", "ports", "holds", *_SIZES))
_LARGEST = 1 << 24

Home = Literal["macro", "registers", "logic"]


@dataclass(frozen=True)
class Macro:
    """A memory macro with a port that reads and one that writes, both with the same clock.

    Parameters
    ----------
    name : str
        Of the cell.
    words, bits : int
    ports : dict
        What each port of the cell is connected to: `clock`, `read_enable`, `read_address`, `read_data`, `write_enable`,
        `write_address`, `write_data`, the same after `!` for an enable that is low, or a number of bits `0` or `1`.
    area : float, optional
        Square micrometres.
    clock_pj, read_pj, write_pj, leakage_uw : float, optional
        Energy of each cycle of the clock, of a read and of a write besides, and power of doing nothing.
    holds : bool
        Whether it keeps what it read until it reads again; registers do that for one that does not.
    """

    name: str
    words: int
    bits: int
    ports: Mapping[str, str] = field(default_factory=lambda: {name: name for name in _SIGNALS})
    area: float | None = None
    read_pj: float | None = None
    write_pj: float | None = None
    leakage_uw: float | None = None
    clock_pj: float | None = None
    holds: bool = True

    @property
    def address_bits(self) -> int:
        return max(1, (self.words - 1).bit_length())


@dataclass
class Found:
    """A memory of the design, in one of its modules, and where it goes."""

    module: str
    name: str
    place: str
    words: int
    bits: int
    reads: int
    writes: int
    count: int = 1
    home: Home = "registers"
    macro: Macro | None = None
    macros: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As it is reported."""
        return {
            "name": self.place,
            "words": self.words,
            "bits": self.bits,
            "read_ports": self.reads,
            "write_ports": self.writes,
            "count": self.count,
            "home": self.home,
            "macro": self.macro.name if self.macro else None,
            "macros": self.macros,
        }


def macros_of(sram: Path | str | None) -> list[Macro] | str | None:
    """What `--sram` asks for: macros by a file or a shipped map, `BLACK_BOXES`, or none.

    Raises
    ------
    InputError
        If it is no map.
    """
    if sram is None or str(sram) == BLACK_BOXES:
        return None if sram is None else BLACK_BOXES
    shipped = {path.stem: path for path in SHIPPED.glob("*.toml")}
    path = shipped.get(str(sram), Path(sram))
    if not path.exists() and not path.suffix:
        names = ", ".join((BLACK_BOXES, *sorted(shipped)))
        raise InputError(f"sram must be a TOML file or one of {names}, not {str(sram)!r:.60}")
    return read_map(path)


def read_map(path: Path) -> list[Macro]:
    """Macros by a TOML file, each a table `[[macro]]` with the fields of `Macro`; `[ports]` is of those without ports.

    A port of constant bits may be said by its width: `1 x data` is a 1 for each bit of a word, `0 x address` a 0 for
    each bit of an address.

    Raises
    ------
    InputError
        If it cannot be read, or says what no macro can be.
    """
    try:
        content = tomllib.loads(decode_text(path.read_bytes()))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} must be TOML, not a file with: {error!s:.120}") from None
    tables = content.get("macro")
    if not isinstance(tables, list) or not tables:
        raise InputError(f"{path} must have tables [[macro]], not {', '.join(content) or 'nothing'}")
    if strange := content.keys() - {"macro", "ports"}:
        raise InputError(f"{path} must have the tables macro and ports, not {min(strange)!r:.40}")
    return [_macro(table, content.get("ports"), f"{path}: macro {number}") for number, table in enumerate(tables, 1)]


def _macro(table: Any, ports_of_all: Any, where: str) -> Macro:
    if not isinstance(table, dict):
        raise InputError(f"{where} must be a table, not {table!r:.40}")
    if strange := table.keys() - _KEYS:
        raise InputError(f"{where} must have the keys {', '.join(sorted(_KEYS))}, not {min(strange)!r:.40}")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"{where}: name must be a word of letters, digits and underscores, not {name!r:.60}")
    for key in ("words", "bits"):
        if type(table.get(key)) is not int or not 1 < table[key] <= _LARGEST:
            raise InputError(f"{where}: {key} must be 2 .. {_LARGEST}, not {table.get(key)!r:.40}")
    for key in _SIZES:
        value = table.get(key, 0)
        if type(value) not in (int, float) or not 0 <= value < 1e12:
            raise InputError(f"{where}: {key} must be a number from 0, not {value!r:.40}")
    if type(holds := table.get("holds", True)) is not bool:
        raise InputError(f"{where}: holds must be true or false, not {holds!r:.40}")
    energies = {key: table.get(key) for key in _SIZES[1:]}
    macro = Macro(name, table["words"], table["bits"], {}, table.get("area_um2"), holds=holds, **energies)
    return replace(macro, ports=_ports(table.get("ports", ports_of_all), macro, where))


def _ports(ports: Any, macro: Macro, where: str) -> dict[str, str]:
    """The ports of a macro, constant bits written out."""
    if not isinstance(ports, dict):
        raise InputError(f"{where}: ports must be a table, not {ports!r:.40}")
    widths = {"data": macro.bits, "address": macro.address_bits}
    found = {}
    for port, signal in ports.items():
        fine = isinstance(signal, str) and re.fullmatch(
            rf"!?(read_enable|write_enable)|{'|'.join(_SIGNALS)}|[01]+|([01]) x (data|address)", signal
        )
        if not _NAME.fullmatch(port) or not fine:
            raise InputError(f"{where}: port {port} must be one of {', '.join(_SIGNALS)} or bits, not {signal!r:.40}")
        found[port] = fine[2] * widths[fine[3]] if fine[3] else signal
    given = {signal.removeprefix("!") for signal in found.values()}
    if missing := [signal for signal in _SIGNALS if signal not in given]:
        raise InputError(f"{where}: ports must have {missing[0]}, not lack it")
    return found


def library_of(macro: Macro) -> str:
    """A macro as `memory_libmap` of yosys reads it."""
    return (
        f"ram block $__{macro.name} {{\n  abits {macro.address_bits};\n  width {macro.bits};\n  cost 1;\n  init none;\n"
        '  port sr "R" {\n    clock posedge "C";\n    rden;\n  }\n  port sw "W" {\n    clock posedge "C";\n  }\n}\n'
    )


def techmap_of(macro: Macro) -> str:
    """Verilog by which yosys puts a macro in its place."""
    address, bits = f"[{macro.address_bits - 1}:0]", f"[{macro.bits - 1}:0]"
    given = {
        "clock": "PORT_R_CLK", "read_enable": "PORT_R_RD_EN", "read_address": "PORT_R_ADDR",
        "read_data": "PORT_R_RD_DATA" if macro.holds else "found", "write_enable": "PORT_W_WR_EN",
        "write_address": "PORT_W_ADDR", "write_data": "PORT_W_WR_DATA",
    }  # fmt: skip
    pins = []
    for port, signal in macro.ports.items():
        name = signal.removeprefix("!")
        value = given.get(name, f"{len(signal)}'b{signal}")
        pins.append(f".{port}({'~' if signal.startswith('!') else ''}{value})")
    held = ""
    if not macro.holds:
        # A register takes over in the cycle after one without a read; it is nothing where every cycle reads.
        held = (
            f"  wire {bits} found;\n  reg {bits} kept;\n  reg read;\n"
            "  always @(posedge PORT_R_CLK) read <= PORT_R_RD_EN;\n"
            "  always @(posedge PORT_R_CLK) if (read) kept <= found;\n"
            "  assign PORT_R_RD_DATA = read ? found : kept;\n"
            '  wire [1023:0] _TECHMAP_DO_ = "proc; opt_clean";\n'
        )
    return (
        f"module \\$__{macro.name} (input CLK_C, input PORT_R_CLK, input PORT_R_RD_EN, input {address} PORT_R_ADDR, "
        f"output {bits} PORT_R_RD_DATA, input PORT_W_CLK, input PORT_W_WR_EN, input {address} PORT_W_ADDR, "
        f"input {bits} PORT_W_WR_DATA);\n{held}  {macro.name} _TECHMAP_REPLACE_ ({', '.join(pins)});\nendmodule\n"
    )


def declaration_of(macro: Macro, body: str = "") -> str:
    """The macro as a black box, or as a module with a body."""
    widths = {"read_address": macro.address_bits, "write_address": macro.address_bits}
    widths |= {"read_data": macro.bits, "write_data": macro.bits}
    ports = []
    for port, signal in macro.ports.items():
        width = widths.get(signal, len(signal) if re.fullmatch("[01]+", signal) else 1)
        direction = "output" if signal == "read_data" else "input"
        ports.append(f"{direction} [{width - 1}:0] {port}" if width > 1 else f"{direction} {port}")
    mark = "" if body else "(* blackbox *)\n"
    return f"{mark}module {macro.name} ({', '.join(ports)});\n{body}endmodule\n"


def model_of(macro: Macro) -> str:
    """A model for simulation, of the least that a macro promises.

    A word is undefined until it is written, and so is what is read in the cycle of a write to the same address. What
    was read stays until the next read, or, where the macro does not hold it, for a cycle.
    """
    by_signal = {signal: port for port, signal in macro.ports.items()}
    port = {name: by_signal.get(name) or f"~{by_signal[f'!{name}']}" for name in _SIGNALS}
    unknown = f"{macro.bits}'bx"
    lost = "" if macro.holds else f"    else held <= {unknown};\n"
    body = (
        f"  reg [{macro.bits - 1}:0] words [0:{macro.words - 1}];\n  reg [{macro.bits - 1}:0] held;\n"
        f"  assign {port['read_data']} = held;\n"
        f"  always @(posedge {port['clock']}) begin\n"
        f"    if ({port['read_enable']})\n"
        f"      held <= {port['write_enable']} && {port['write_address']} == {port['read_address']} ? {unknown}"
        f" : words[{port['read_address']}];\n{lost}"
        f"    if ({port['write_enable']}) words[{port['write_address']}] <= {port['write_data']};\n  end\n"
    )
    return declaration_of(macro, body)
