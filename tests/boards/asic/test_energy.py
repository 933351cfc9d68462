"""Energy of a netlist of three cells, by hand."""

from pathlib import Path

import pytest

from spikewright.contract.errors import InputError
from spikewright_boards.asic.energy import WIRE_FARADS, energy_report
from spikewright_boards.asic.gates import GateModule, Instance, Netlist
from spikewright_boards.asic.liberty import Group
from spikewright_boards.asic.library import Library
from spikewright_boards.asic.memories import Macro
from spikewright_boards.asic.power import SLEW, CellPower, _Table
from spikewright_sim.toggles import Toggles, read_saif
from ten_cells import CLOCK_PJ, INPUT_PF, LEAKAGE_NW, TOGGLE_PJ, ten_cells

SAIF = """(SAIFILE
(DURATION 20)
 (INSTANCE TOP
  (NET
   (clk (T0 10) (T1 10) (TZ 0) (TX 0) (TB 0) (TC 20))
  )
  (INSTANCE core
   (NET
    (clk (T0 10) (T1 10) (TZ 0) (TX 0) (TB 0) (TC 20))
    (d\\[1\\] (T0 10) (T1 10) (TZ 0) (TX 0) (TB 0) (TC 4))
   )
   (INSTANCE part
    (NET
     (q (T0 4) (T1 16) (TZ 0) (TX 0) (TB 0) (TC 3))
    )
   )
   (INSTANCE other
    (NET
     (q (T0 20) (T1 0) (TZ 0) (TX 0) (TB 0) (TC 0))
    )
   )
  )
 )
)
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "ten.lib").write_text(ten_cells())
    return Library.read(tmp_path / "ten.lib")


def test_changes_are_read_by_place_and_name() -> None:
    assert read_saif(SAIF) == {
        ("", "clk"): (20, 5),
        ("", "d[1]"): (4, 5),
        ("part", "q"): (3, 8),
        ("other", "q"): (0, 0),
    }


def test_energy_is_what_the_library_says(library: Library) -> None:
    """An inverter between two registers: q -> inv -> d of the other, in ten cycles and two samples."""
    instances = {
        "a": Instance("dff", {"CK": [1], "D": [2], "Q": [3]}),
        "u": Instance("inv", {"A": [3], "Y": [4]}),
        "b": Instance("dff", {"CK": [1], "D": [4], "Q": [5]}),
    }
    ports = {"clk": ("input", [1]), "d": ("input", [2]), "q": ("output", [5])}
    module = GateModule("top", ports, instances, {1: "clk", 2: "d", 3: "s", 4: "t", 5: "q"})
    nets = {("", "clk"): (20, 5), ("", "d"): (4, 5), ("", "s"): (4, 5), ("", "t"): (4, 5), ("", "q"): (3, 8)}
    toggles = Toggles(nets, cycles=10, samples=2, synaptic_ops=6, dense_synaptic_ops=60)
    report = energy_report(Netlist("top", {"top": module}), library, {}, toggles, clock_mhz=100.0)
    end = (INPUT_PF * 1e-12 + WIRE_FARADS) * 2.0**2 / 2
    clock = 20 * (2 * end + 2 * CLOCK_PJ * 1e-12)
    switching = (4 + 4 + 4) * end
    internal = (4 + 4 + 3) * TOGGLE_PJ * 1e-12
    leakage = 3 * LEAKAGE_NW * 1e-9 * 10 / 100e6
    expected = {"clock": clock, "internal": internal, "switching": switching, "leakage": leakage, "macros": 0.0}
    assert report["parts_nj"] == {part: pytest.approx(joules / 2 * 1e9, abs=1e-6) for part, joules in expected.items()}
    whole = sum(expected.values())
    assert report["inference_nj"] == pytest.approx(whole / 2 * 1e9, abs=1e-6)
    assert report["synaptic_op_pj"] == pytest.approx(whole / 6 * 1e12, abs=1e-3)
    assert report["power_mw"] == pytest.approx(whole / (10 / 100e6) * 1e3, abs=1e-5)
    assert (report["cycles"], report["toggles"], report["synaptic_ops"]) == (5.0, 17.5, 3.0)


def test_a_macro_costs_its_accesses(library: Library) -> None:
    macro = Macro(
        "ram", 4, 1,
        ports={"clk": "clock", "ceb": "!read_enable", "ra": "read_address", "q": "read_data", "we": "write_enable",
               "wa": "write_address", "d": "write_data"},
        read_pj=3.0, write_pj=5.0, leakage_uw=2.0,
    )  # fmt: skip
    pins = {"clk": [1], "ceb": [2], "ra": ["0", "0"], "q": [3], "we": [4], "wa": ["0", "0"], "d": ["0"]}
    module = GateModule(
        "top", {"clk": ("input", [1])}, {"m": Instance("ram", pins)}, {1: "clk", 2: "e", 3: "q", 4: "w"}
    )
    nets = {("", "clk"): (20, 5), ("", "e"): (2, 7), ("", "q"): (0, 0), ("", "w"): (2, 4)}
    netlist = Netlist("top", {"top": module}, {("ram", "q")})
    report = energy_report(netlist, library, {"ram": macro}, Toggles(nets, 10, 1, 0, 0), clock_mhz=100.0)
    # Three cycles of ten with the low enable, four with the other.
    assert report["parts_nj"]["macros"] == pytest.approx(3 * 3e-3 + 4 * 5e-3 + 2e-6 * 10 / 100e6 * 1e9)
    assert report["macro_accesses"] == {"ram": {"reads": 3.0, "writes": 4.0}}
    assert report["synaptic_op_pj"] is None


def test_tables_are_read_between_their_points(library: Library) -> None:
    table = Group(
        "rise_power",
        ("two",),
        {"index_1": ("0.05, 0.15",), "index_2": ("0.01, 0.03",), "values": ("1, 3", "2, 4")},
    )
    assert SLEW == 1e-10
    assert _Table(library, table).read(0.02e-12) == pytest.approx(2.5e-12)
    assert _Table(library, table).read(1.0) == pytest.approx(3.5e-12)
    assert CellPower(library, library.cells["dff"]).internal("CK", 0.0) == pytest.approx(CLOCK_PJ * 1e-12)
    assert CellPower(library, library.cells["dff"]).internal("D", 0.0) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"cell_leakage_power : {LEAKAGE_NW}", "cell_leakage_power : inf", "cell_leakage_power of cell dff must be"),
        (f'values ("{CLOCK_PJ}")', 'values ("nan")', "values of rise_power scalar must be a finite number, not 'nan'"),
        (
            "rise_power (scalar) {",
            'rise_power (scalar) { index_1 ("1, 2, 2");',
            "index_1 of rise_power scalar must rise, not be [1.0, 2.0, 2.0]",
        ),
    ],
)
def test_wrong_powers_are_named_with_their_cell(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(ten_cells().replace(old, new))
    library = Library.read(path)
    with pytest.raises(InputError) as error:
        CellPower(library, library.cells["dff"])
    assert str(error.value).startswith(f"{path}, cell dff: {said}")
