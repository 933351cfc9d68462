"""The scripts in `examples/` do what they say: they learn, and most of the weights are zero."""

import importlib.util
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"snntorch_swap": ["snntorch"], "spikingjelly_swap": ["spikingjelly", "loguru"], "own_loop": []}
"""Libraries of each example, beside the package itself."""


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == NEEDS.keys()


def run(name: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """The numbers that an example prints."""
    for library in NEEDS[name]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"needs {library}: pip install {library}")
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return [float(number) for number in re.findall(r"[\d.]+", capsys.readouterr().out)]


@pytest.mark.parametrize("name", ["snntorch_swap", "spikingjelly_swap"])
@pytest.mark.filterwarnings("default")  # of libraries that are not ours
def test_one_line_makes_the_weights_of_other_libraries_sparse(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, zeros = run(name, capsys)
    assert accuracy > 0.95
    assert 0.83 < zeros < 0.95


def test_a_loop_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, in_integers, stored, weights, bits = run("own_loop", capsys)
    assert accuracy > 0.9
    assert in_integers > 0.9
    assert weights == 32 * 30 + 32 * 64 + 3 * 32
    assert stored < 0.35 * weights
    assert bits > 6 * stored
