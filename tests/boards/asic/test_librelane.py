from pathlib import Path
from typing import Any

import pytest

from spikewright_boards.asic.librelane import librelane_config, process_of


@pytest.mark.parametrize(
    ("library", "process"),
    [
        ("sky130_fd_sc_hd__tt_025C_1v80", ("sky130A", "sky130_fd_sc_hd")),
        ("sky130_fd_sc_hs", ("sky130A", "sky130_fd_sc_hs")),
        ("sg13g2_stdcell_typ_1p20V_25C", ("ihp-sg13g2", "sg13g2_stdcell")),
        ("gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00", ("gf180mcuD", "gf180mcu_fd_sc_mcu7t5v0")),
        ("sg13g2_stdcells", None),
        ("osu018_stdcells", None),
        ("ten", None),
    ],
)
def test_the_process_is_that_of_the_library(library: str, process: tuple[str, str] | None) -> None:
    assert process_of(library) == process
    assert (librelane_config(library, "core", "netlist.v", [], 10.0) is None) == (process is None)


def test_a_configuration_says_what_the_netlist_needs() -> None:
    assert librelane_config("sky130_fd_sc_hd__tt_025C_1v80", "core", "netlist.v", ["ram_b", "ram_a"], 1e3 / 75) == {
        "meta": {"version": 2, "flow": "Classic"},
        "PDK": "sky130A",
        "STD_CELL_LIBRARY": "sky130_fd_sc_hd",
        "DESIGN_NAME": "core",
        "VERILOG_FILES": ["dir::netlist.v"],
        "SYNTH_ELABORATE_ONLY": True,
        "RUN_LINTER": False,
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": 13.3333,
        "IO_DELAY_CONSTRAINT": 20,
        "MACROS": {
            "ram_a": {"gds": ["dir::macros/ram_a.gds"], "lef": ["dir::macros/ram_a.lef"]},
            "ram_b": {"gds": ["dir::macros/ram_b.gds"], "lef": ["dir::macros/ram_b.lef"]},
        },
    }


def test_librelane_takes_the_configuration(tmp_path: Path) -> None:
    """Names and types of all keys, as far as that goes without the files of a process."""
    reason = "needs LibreLane (pip install librelane)"
    config = pytest.importorskip("librelane.config", reason=reason).Config
    classic = pytest.importorskip("librelane.flows", reason=reason).Flow.factory.get("Classic")
    made = librelane_config("sky130_fd_sc_hd__tt_025C_1v80", "core", "netlist.v", ["ram"], 12.5)
    assert made is not None
    variables = [
        variable for variable in classic.get_all_config_variables(classic) if not variable.pdk or variable.name in made
    ]
    (tmp_path / "macros").mkdir()
    for name in ("netlist.v", "macros/ram.gds", "macros/ram.lef"):
        (tmp_path / name).touch()

    def load(content: dict[str, Any]) -> Any:
        folder = str(tmp_path)
        return config.load(content, variables, design_dir=folder, pdk_root=folder, _load_pdk_configs=False)[0]

    taken = load(made)
    assert (taken.meta.flow, float(taken["CLOCK_PERIOD"])) == ("Classic", 12.5)
    assert [str(path) for path in taken["VERILOG_FILES"]] == [str(tmp_path / "netlist.v")]
    assert [str(path) for path in taken["MACROS"]["ram"].lef] == [str(tmp_path / "macros" / "ram.lef")]
    with pytest.raises(ValueError, match="Unknown key 'CLOCKS'"):
        load({**made, "CLOCKS": 1})
