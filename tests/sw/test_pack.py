import numpy as np
import pytest

from random_networks import random_network
from spikewright.pack import balanced_order, pack, unpack
from spikewright.spec import LANES


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
def test_unpack_is_the_exact_inverse(lanes: int, density: float) -> None:
    network = random_network(lanes, sizes=(20, 13, 31, 6), recurrent=(True, False), density=density)
    again = unpack(pack(network, lanes))
    for before, after in zip(network.layers, again.layers, strict=True):
        np.testing.assert_array_equal(after.weights, before.weights)


def test_no_zero_is_stored() -> None:
    core = pack(random_network(1, density=0.3), 4)
    for image in core.layers:
        assert sum(len(data) for data in image.data) == image.spec.synapses
        assert all((data != 0).all() for data in image.data)
        assert all((rows < image.rows).all() for rows in image.indices)


def test_order_is_a_permutation_that_balances_the_lanes() -> None:
    spec = random_network(2, sizes=(50, 37, 5), recurrent=(False,), density=0.3).layers[0]
    # Sorted by load, dealing neurons out in turn would pile up in the first lane.
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(spec.weights.shape) < np.linspace(0, 1, 37)[:, None], 1, 0)
    layer = spec.__class__(
        inputs=50, neurons=37, weights=weights, bias=spec.bias, threshold=spec.threshold, delays=None, decay=spec.decay
    )
    order = balanced_order(layer, 8)
    assert sorted(order) == list(range(37))
    load = np.count_nonzero(weights, axis=1)[order]
    per_lane = np.array([load[lane::8].sum() for lane in range(8)])
    full = per_lane[: 37 % 8]  # these lanes have one neuron more
    assert full.max() - full.min() <= load.max()


def test_unsupported_number_of_lanes() -> None:
    with pytest.raises(ValueError) as error:
        pack(random_network(0), 3)
    assert str(error.value) == "lanes must be one of 1, 2, 4, 8, 16, not 3"
