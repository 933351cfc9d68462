"""How a module that is run as a program ends, and what a message says of a name that is nearly known."""

import pytest

from spikewright.contract.errors import InputError, errors_in, suggestion
from spikewright.support.streams import exit_with


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_of_main_is_that_of_the_process(status: int) -> None:
    with pytest.raises(SystemExit) as left:
        exit_with(lambda: status)
    assert left.value.code == status


def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise InputError("lanes must be 1 .. 64, not 65")

    with pytest.raises(SystemExit) as left:
        exit_with(main)
    assert left.value.code == 2
    assert capsys.readouterr().err == "spikewright: error: lanes must be 1 .. 64, not 65\n"


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("trian", "; did you mean train?"),
        ("TRAIN", "; did you mean train?"),
        ("--tran", "; did you mean train?"),
        ("board", "; did you mean --board?"),
        ("--json", ""),
        ("rate", ""),
        ("3", ""),
        (3, ""),
        (None, ""),
        ("train" * 1000, ""),
    ],
)
def test_the_nearest_name_is_suggested(given: object, near: str) -> None:
    assert suggestion(given, ["train", "surrogate", "--board", "32"]) == near


def test_errors_name_their_place() -> None:
    with pytest.raises(InputError) as raised, errors_in("a.json"), errors_in("metadata"):
        raise InputError("lanes must be 1, not 3")
    assert str(raised.value) == "a.json: metadata: lanes must be 1, not 3"
    assert raised.value.__suppress_context__
    # What is nobody's input tells of no place.
    with pytest.raises(ValueError) as other, errors_in("a.json"):
        raise ValueError("a fault")
    assert str(other.value) == "a fault"
