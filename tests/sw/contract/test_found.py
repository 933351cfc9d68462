import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikewright.contract import found
from spikewright.contract.errors import InputError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "additions"
    folder.mkdir()
    for name, code in {
        "__init__": "",
        "_helper": "",
        "zebra": "class Zebra(int): pass",
        "apple": "from additions.zebra import Zebra\nclass Apple(Zebra): pass",
        "none": "Alias = int",
        "big_cat": "CAT = 7",
        "two": "class A(int): pass\nclass B(int): pass",
    }.items():
        (folder / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "additions"
    for name in [name for name in sys.modules if name.partition(".")[0] == "additions"]:
        del sys.modules[name]


def test_modules_are_found_in_order_and_not_imported(package: str) -> None:
    assert found.names(package) == ("apple", "big_cat", "none", "two", "zebra")
    assert found.names(package, ("zebra", "missing", "none")) == ("zebra", "none", "apple", "big_cat", "two")
    assert not [name for name in sys.modules if name.startswith("additions.")]


def test_a_thing_is_found_by_its_name(package: str) -> None:
    assert found.find(package, "cat", "big-cat") == 7
    with pytest.raises(InputError) as caught:
        found.find(package, "cat", "big_cat")
    assert str(caught.value) == (
        "cat must be one of apple, big-cat, none, two, zebra, not 'big_cat'; did you mean big-cat?"
    )


def test_what_a_module_imports_is_not_its_own(package: str) -> None:
    assert found.class_in(package, "apple", int).__name__ == "Apple"
    assert found.class_in(package, "zebra", int).__name__ == "Zebra"


@pytest.mark.parametrize(("name", "number"), [("none", 0), ("two", 2)])
def test_a_module_has_one_class(package: str, name: str, number: int) -> None:
    with pytest.raises(TypeError) as raised:
        found.class_in(package, name, int)
    assert str(raised.value) == f"additions.{name} must have one class made from int, not {number}"
