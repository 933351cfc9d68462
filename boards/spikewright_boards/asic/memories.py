"""Memories of a core on an ASIC: macros where there are some, registers and constant logic where there are none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spikewright.contract.errors import InputError
from spikewright.support.files import decode_text

BLACK_BOX_BITS = 1024
"""Bits from which a memory is a black box of its own, where these are asked for."""
BLACK_BOXES = "blackbox"
_SIGNALS = ("clock", "read_enable", "read_address", "read_data", "write_enable", "write_address", "write_data")
_NAME = re.compile(r"[A-Za-z_]\w{0,99}")
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
    read_pj, write_pj, leakage_uw : float, optional
        Energy of an access, and power of doing nothing.
    """

    name: str
    words: int
    bits: int
    ports: Mapping[str, str] = field(default_factory=lambda: {name: name for name in _SIGNALS})
    area: float | None = None
    read_pj: float | None = None
    write_pj: float | None = None
    leakage_uw: float | None = None

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


def read_map(path: Path) -> list[Macro]:
    """Macros by a TOML file, each a table `[[macro]]` with the fields of `Macro`.

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
    return [_macro(table, f"{path}: macro {number}") for number, table in enumerate(tables, 1)]


def _macro(table: Any, where: str) -> Macro:
    if not isinstance(table, dict):
        raise InputError(f"{where} must be a table, not {table!r:.40}")
    known = {"name", "words", "bits", "ports", "area_um2", "read_pj", "write_pj", "leakage_uw"}
    if strange := table.keys() - known:
        raise InputError(f"{where} must have the keys {', '.join(sorted(known))}, not {min(strange)!r:.40}")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"{where}: name must be a word of letters, digits and underscores, not {name!r:.60}")
    for key in ("words", "bits"):
        if type(table.get(key)) is not int or not 1 < table[key] <= _LARGEST:
            raise InputError(f"{where}: {key} must be 2 .. {_LARGEST}, not {table.get(key)!r:.40}")
    for key in ("area_um2", "read_pj", "write_pj", "leakage_uw"):
        value = table.get(key, 0)
        if type(value) not in (int, float) or not 0 <= value < 1e12:
            raise InputError(f"{where}: {key} must be a number from 0, not {value!r:.40}")
    ports = table.get("ports")
    if not isinstance(ports, dict):
        raise InputError(f"{where}: ports must be a table, not {ports!r:.40}")
    for port, signal in ports.items():
        fine = isinstance(signal, str) and re.fullmatch(
            rf"!?(read_enable|write_enable)|{'|'.join(_SIGNALS)}|[01]+", signal
        )
        if not _NAME.fullmatch(port) or not fine:
            raise InputError(f"{where}: port {port} must be one of {', '.join(_SIGNALS)} or bits, not {signal!r:.40}")
    given = {signal.removeprefix("!") for signal in ports.values()}
    if missing := [signal for signal in _SIGNALS if signal not in given]:
        raise InputError(f"{where}: ports must have {missing[0]}, not lack it")
    numbers = {key: table.get(key) for key in ("read_pj", "write_pj", "leakage_uw")}
    return Macro(name, table["words"], table["bits"], ports, table.get("area_um2"), **numbers)


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
        "read_data": "PORT_R_RD_DATA", "write_enable": "PORT_W_WR_EN", "write_address": "PORT_W_ADDR",
        "write_data": "PORT_W_WR_DATA",
    }  # fmt: skip
    pins = []
    for port, signal in macro.ports.items():
        name = signal.removeprefix("!")
        value = given.get(name, f"{len(signal)}'b{signal}")
        pins.append(f".{port}({'~' if signal.startswith('!') else ''}{value})")
    return (
        f"module \\$__{macro.name} (input CLK_C, input PORT_R_CLK, input PORT_R_RD_EN, input {address} PORT_R_ADDR, "
        f"output {bits} PORT_R_RD_DATA, input PORT_W_CLK, input PORT_W_WR_EN, input {address} PORT_W_ADDR, "
        f"input {bits} PORT_W_WR_DATA);\n  {macro.name} _TECHMAP_REPLACE_ ({', '.join(pins)});\nendmodule\n"
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
    """A model for simulation: undefined until it is written; it keeps what it read until it reads again."""
    by_signal = {signal: port for port, signal in macro.ports.items()}
    port = {name: by_signal.get(name) or f"~{by_signal[f'!{name}']}" for name in _SIGNALS}
    body = (
        f"  reg [{macro.bits - 1}:0] words [0:{macro.words - 1}];\n  reg [{macro.bits - 1}:0] held;\n"
        f"  assign {port['read_data']} = held;\n"
        f"  always @(posedge {port['clock']}) begin\n"
        f"    if ({port['read_enable']}) held <= words[{port['read_address']}];\n"
        f"    if ({port['write_enable']}) words[{port['write_address']}] <= {port['write_data']};\n  end\n"
    )
    return declaration_of(macro, body)
