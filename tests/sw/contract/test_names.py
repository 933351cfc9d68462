from pathlib import Path
from typing import Any

import pytest

from spikewright.contract.errors import InputError
from spikewright.contract.names import verilog_files

AT = Path("build/manifest.json")


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({}, ["spikewright_core.v"]),
        ({"verilog": "spikewright_core.v"}, ["spikewright_core.v"]),
        ({"top": "left", "verilog": ["left.v", "left_rom.v"]}, ["left.v", "left_rom.v"]),
    ],
)
def test_files_of_a_core(manifest: dict[str, Any], expected: list[str]) -> None:
    assert verilog_files(manifest, AT) == expected


@pytest.mark.parametrize(
    ("verilog", "message"),
    [
        (3, "verilog must be a list of Verilog files, not 3"),
        ([], "verilog must be different files, spikewright_core.v first, not []"),
        (
            ["spikewright_core.v", "../x.v"],
            "verilog must be a list of Verilog files, not ['spikewright_core.v', '../x.v']",
        ),
        (["x.v"], "verilog must be different files, spikewright_core.v first, not ['x.v']"),
        (2 * ["spikewright_core.v"], "verilog must be different files, spikewright_core.v first, not "),
    ],
)
def test_files_that_are_none(verilog: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        verilog_files({"verilog": verilog}, AT)
    assert str(error.value).startswith(f"{AT}: {message}")
