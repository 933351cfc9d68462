import pytest

from spikewright.contract.errors import InputError
from spikewright_boards.asic.functions import names, verilog


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("A", "A"),
        ("!A", "~A"),
        ("(A B)'", "~(A & B)"),
        ("A*B+C", "((A & B) | C)"),
        ("A B | !C D", "((A & B) | (~C & D))"),
        ("A ^ B C", "((A ^ B) & C)"),
        ("!(!A')", "~~~A"),
        ("1", "1'b1"),
        ("IQ_N[0]", "IQ_N[0]"),
    ],
)
def test_functions_become_verilog(function: str, expected: str) -> None:
    assert verilog(function) == expected


@pytest.mark.parametrize("function", ["", "A +", "(A", "A)", "A ? B", "!", "(" * 100 + "A" + ")" * 100, "A $display"])
def test_what_is_no_function_is_refused(function: str) -> None:
    with pytest.raises(InputError) as error:
        verilog(function)
    assert str(error.value) == f"function must be a boolean expression of pins, not {function!r:.60}"


def test_pins_of_a_function() -> None:
    assert names("(A1 & !B) | IQ") == {"A1", "B", "IQ"}
