"""How the layers of a core work is chosen once, by a table of each room: nothing else asks."""

import ast

import pytest

from spikewright.contract.cores import CORES
from spikewright.contract.names import LAYERS, LAYERS_HELP, unusual
from spikewright.layout import capacity, pack
from spikewright.predict import engines as predicted
from spikewright_hw import engines as built
from test_rooms import SOURCES


@pytest.mark.parametrize(
    "table",
    [CORES, LAYERS_HELP, pack._PACKERS, capacity._MEASURES, predicted.ENGINES, built._ENGINES],
    ids=["types", "help", "packers", "capacities", "predictions", "gateware"],
)
def test_every_kind_is_in_every_table(table: dict[str, object]) -> None:
    assert tuple(table) == LAYERS


def test_types_know_their_kind() -> None:
    assert {kind: core.kind for kind, core in CORES.items()} == {kind: kind for kind in LAYERS}


def asks(source: str) -> list[int]:
    """Lines that compare something with one of the kinds."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        for part in (node.left, *node.comparators)
        if isinstance(part, ast.Constant) and part.value in LAYERS
    ]


def test_nothing_asks_for_the_kind() -> None:
    assert asks("a = b == 'shared'\nc = 3") == [1]
    assert {name: lines for name, path in SOURCES.items() if (lines := asks(path.read_text()))} == {}


def test_the_usual_kind_needs_no_word() -> None:
    assert (unusual("parallel"), unusual("shared")) == ([], ["shared"])
