import pytest

from random_networks import random_network
from spikewright.contract.core import CoreSpec


def test_core_rejects_other_lanes() -> None:
    with pytest.raises(ValueError) as raised:
        CoreSpec(network=random_network(0), lanes=6, layers=())
    assert str(raised.value) == "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 6"


@pytest.mark.parametrize("depth", [7, 65])
def test_core_rejects_other_queues(depth: int) -> None:
    with pytest.raises(ValueError) as raised:
        CoreSpec(network=random_network(0), lanes=4, layers=(), queue_depth=depth)
    assert str(raised.value) == f"queue_depth must be 8 .. 64, not {depth}"
