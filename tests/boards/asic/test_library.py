import gzip
from pathlib import Path

import pytest

from spikewright.contract.errors import InputError
from spikewright_boards.asic.library import Library
from ten_cells import AREAS, ten_cells


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    path = tmp_path / "ten.lib"
    path.write_text(ten_cells())
    return path


def test_cells_and_units(ten: Path) -> None:
    library = Library.read(ten)
    library.check()
    assert library.name == "ten"
    assert {cell.name: cell.area for cell in library.cells.values()} == AREAS
    assert (library.voltage, library.energy, library.leakage, library.time) == (2.0, 1e-12, 1e-9, 1e-9)
    assert library.cells["nand2"].pins["A"].capacitance == pytest.approx(2e-15)
    assert [cell.name for cell in library.registers] == ["dff"]
    assert [cell.name for cell in library.inverters] == ["inv"]
    assert [cell.name for cell in library.buffers] == ["buff"]
    assert [cell.name for cell in library.gates_of_two] == ["nand2", "nor2"]
    assert library.gating is not None
    assert library.gating_pins() == ("E", "CK", "GCK", [])
    assert [getattr(library.ties(value), "name", None) for value in (0, 1)] == ["lo", "hi"]


def test_a_gzipped_library_is_the_same(ten: Path, tmp_path: Path) -> None:
    packed = tmp_path / "ten.lib.gz"
    packed.write_bytes(gzip.compress(ten.read_bytes()))
    assert Library.read(packed).cells.keys() == Library.read(ten).cells.keys()


def test_cells_can_be_left_out(ten: Path) -> None:
    library = Library.read(ten).without(["n*2", "gate"])
    assert library.cells.keys() == AREAS.keys() - {"nand2", "nor2", "gate"}
    assert library.gating is None
    (text,) = library.trimmed()
    assert "cell (xor2)" in text
    assert "cell (nand2)" not in text


def test_what_the_synthesis_reads_has_the_gating_cell(ten: Path) -> None:
    (text,) = Library.read(ten).trimmed()
    assert "cell (gate)" in text
    assert "dont_use" not in text


@pytest.mark.parametrize(
    ("without", "what"),
    [
        (["dff"], "a D flip-flop with a rising clock"),
        (["inv"], "an inverter"),
        (["buff"], "a buffer"),
        (["nand2", "nor2"], "a NAND, NOR, AND or OR of two inputs"),
    ],
)
def test_what_every_core_needs_is_named(tmp_path: Path, without: list[str], what: str) -> None:
    path = tmp_path / "few.lib"
    path.write_text(ten_cells(without))
    with pytest.raises(InputError) as error:
        Library.read(path).check()
    assert str(error.value) == f"{path} must have {what} that may be used, not {10 - len(without)} cells without"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 must have a library, not its end"),
        ("module x ();", "line 1 must have '(', not 'x'"),
        ("cell (a) { }", "line 1 must have the group library, not 'cell'"),
        ("library (x) {\n  cell (a) {\n", "line 3 must have the name of an attribute, not its end"),
        ("library (x) {\n  area ) : 1;\n}", "line 2 must have '(', not ')'"),
        ("library (x) {" + "a () {" * 40, "line 1 must have at most 30 groups in each other"),
        ('library (x) { cell (a) { pin (y) { timing () { "', "line 1 must have '}', not its end"),
    ],
)
def test_a_damaged_library_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        Library.read(path)
    assert str(error.value) == f"{path} must be a liberty file: {said}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("area : 4.0", "area : wide", "area of cell inv must be a finite number, not 'wide'"),
        ("area : 4.0", "area : nan", "area of cell inv must be a finite number, not 'nan'"),
        ("area : 4.0", "area : -4", "area of cell inv must be at least 0, not -4"),
        ('time_unit : "1ns"', 'time_unit : "soon"', "time_unit must be a number above 0 with a unit, not 'soon'"),
        ('time_unit : "1ns"', 'time_unit : "0ns"', "time_unit must be a number above 0 with a unit, not '0ns'"),
        ('time_unit : "1ns"', 'time_unit : "1.1.1ns"', "time_unit must be a number above 0 with a unit, not '1.1.1ns'"),
        ("(1, pf)", "(1, cups)", "capacitive_load_unit must be a number above 0 and ff or pf, not ('1', 'cups')"),
        ("(1, pf)", "(-1, pf)", "capacitive_load_unit must be a number above 0 and ff or pf, not ('-1', 'pf')"),
        ("nom_voltage : 2.0;", "", "library ten must have nom_voltage, not lack it"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(ten_cells().replace(old, new))
    with pytest.raises(InputError) as error:
        Library.read(path)
    assert str(error.value) == f"{path}: {said}"


def test_a_missing_or_broken_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cannot read library .*none\.lib: No such file or directory$"):
        Library.read(tmp_path / "none.lib")
    broken = tmp_path / "broken.lib.gz"
    broken.write_bytes(gzip.compress(ten_cells().encode())[:-40])
    with pytest.raises(InputError, match=r"^cannot read library .*broken\.lib\.gz: "):
        Library.read(broken)


def test_libraries_of_other_units_do_not_go_together(ten: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.lib"
    other.write_text(ten_cells().replace('time_unit : "1ns"', 'time_unit : "1ps"'))
    with pytest.raises(InputError) as error:
        Library.read_all([ten, other])
    assert str(error.value) == f"{other} must have the units of {ten}, not others"
