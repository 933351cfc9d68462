"""`import spikewright as sw`: every public name is there, with a docstring and types."""

import ast
import inspect
from pathlib import Path

import pytest

import spikewright as sw

NAMES = [name for name in sw.__all__ if name != "__version__"]


def test_the_names_that_are_promised() -> None:
    promised = (
        "load_data load_network AdaBreg LinBreg ProxSGD L1 GroupL1L2 SparsityController train quantize evaluate "
        "generate simulate synth explore"
    )
    assert set(promised.split()) <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    assert set(NAMES) <= set(dir(sw))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(str(sw.__file__)).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        (alias.asname, node.module)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(sw._WHERE.items())


def test_no_module_hides_a_name() -> None:
    folder = Path(str(sw.__file__)).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert not modules & set(NAMES)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="^module 'spikewright' has no attribute 'AdaBerg'$") as caught:
        _ = sw.AdaBerg
    assert (caught.value.name, caught.value.obj) == ("AdaBerg", sw)  # by which Python suggests AdaBreg


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented_and_typed(name: str) -> None:
    value = getattr(sw, name)
    assert getattr(value, "__module__", "").startswith("spikewright")
    text = inspect.getdoc(value)
    assert text
    assert text.splitlines()[0][-1] in ".:"
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, parameter.name
            assert parameter.name in text, f"{parameter.name} is not in the docstring"
