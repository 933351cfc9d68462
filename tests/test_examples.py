"""Scripts and notebooks in `examples/` do what they say: they learn, most weights are zero, and hardware is equal."""

import ast
import importlib.util
import inspect
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

import spikewright as sw

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {
    "snntorch_swap": ["snntorch"],
    "spikingjelly_swap": ["spikingjelly", "loguru"],
    "own_loop": [],
    "from_snntorch": ["snntorch", "nir", "nirtorch"],
    "from_norse": ["norse", "nir", "nirtorch"],
    "from_spikingjelly": ["spikingjelly", "loguru", "nir", "nirtorch"],
}
"""Libraries of each example, beside the package itself."""


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == NEEDS.keys()


said: dict[str, str] = {}
"""What each example that was run has printed."""


def run(name: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """The numbers that an example prints."""
    for library in NEEDS[name]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"needs {library}: pip install {library}")
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    said[name] = capsys.readouterr().out
    return [float(number) for number in re.findall(r"[\d.]+", said[name])]


@pytest.mark.parametrize("name", ["snntorch_swap", "spikingjelly_swap"])
@pytest.mark.filterwarnings("default")  # of libraries that are not ours
def test_one_line_makes_the_weights_of_other_libraries_sparse(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, zeros = run(name, capsys)
    assert accuracy > 0.95
    assert 0.83 < zeros < 0.95


@pytest.mark.parametrize("name", ["from_snntorch", "from_norse", "from_spikingjelly"])
@pytest.mark.filterwarnings("default")  # of libraries that are not ours
def test_networks_of_other_libraries_become_verilog(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(name, capsys)
    assert re.fullmatch(
        r"[1-9]\d+ spikes, the same: True, mismatches in simulated Verilog: 0", said[name].splitlines()[-1]
    )


def test_a_loop_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, in_integers, stored, weights, bits = run("own_loop", capsys)
    assert accuracy > 0.9
    assert in_integers > 0.9
    assert weights == 32 * 30 + 32 * 64 + 3 * 32
    assert stored < 0.35 * weights
    assert bits > 6 * stored


# ---- notebooks, whose cells are run in this process: a kernel would start Python, and import torch, once more


NOTEBOOKS = EXAMPLES / "notebooks"


def cells(name: str, kind: str = "code") -> list[str]:
    content = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def executed(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the cells of a notebook leave, run one after the other in an empty folder, each value shown."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "__main__"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for number, source in enumerate(cells(name)):
            place = f"{name}, cell {number}"
            tree = ast.parse(source, place)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, place, "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), place, "eval"), names)
                assert len(repr(value).splitlines()) <= 10, place
    return names


def test_notebooks_are_kept_without_outputs() -> None:
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert [path.stem for path in paths] == ["1-train-and-sparsify", "2-to-hardware", "3-your-own-network"]
    for path in paths:
        content = json.loads(path.read_text("utf-8"))
        assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
        assert content["cells"][0]["cell_type"] == "markdown"
        for cell in content["cells"]:
            assert cell["cell_type"] in ("markdown", "code")
            assert cell["source"]
            if cell["cell_type"] == "code":
                assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_train_and_sparsify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = executed("1-train-and-sparsify", tmp_path, monkeypatch)
    first, last = names["training"].history[0], names["training"].history[-1]
    assert last["loss"] < 0.7 * first["loss"]
    assert last["accuracy"] > first["accuracy"] + 0.3
    assert 0.75 < last["sparsity"] < 0.85
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_to_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = executed("2-to-hardware", tmp_path, monkeypatch)
    assert (names["result"].samples, names["result"].mismatches, names["result"].cycle_mismatches) == (2, 0, 0)
    assert names["result"].accuracy == 1.0
    assert names["fastest"]["fits"]
    # What is not run, as it takes minutes, is at least what the calls take.
    skipped = ast.parse(cells("2-to-hardware")[-1]).body[-1]
    calls = [node for node in ast.walk(skipped) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    for node in calls:
        if isinstance(node.func, ast.Attribute) and hasattr(sw, node.func.attr):
            options = {keyword.arg: None for keyword in node.keywords if keyword.arg}
            inspect.signature(getattr(sw, node.func.attr)).bind(*node.args, **options)
    assert {"generate", "synth"} <= {node.func.attr for node in calls if isinstance(node.func, ast.Attribute)}


def test_your_own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = executed("3-your-own-network", tmp_path, monkeypatch)
    test = names["test"]
    assert sw.evaluate(names["network"], test).accuracy > 0.9
    assert sw.evaluate(names["model"], test).accuracy > 0.9
    assert 0.7 < names["controller"].sparsity() < 0.85
    assert names["build"].synapses < 0.35 * names["build"].weights
