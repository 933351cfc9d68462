import numpy as np
import pytest

from spikewright.contract.decay import Decay
from spikewright.contract.image import LayerImage
from spikewright.contract.layer import LayerSpec


def small_image(encoding: str = "absolute") -> LayerImage:
    """Five neurons in two lanes, the order of the network reversed, recurrent.

    Of axon 1, lane 0 holds rows 0 and 2, of axon 0 row 1; lane 1 holds row 1 of axon 1.
    """
    weights = np.zeros((5, 7), dtype=int)
    weights[4, 1], weights[0, 1], weights[2, 0], weights[1, 1] = 3, 4, 5, 6
    lengths = np.zeros((7, 2), dtype=int)
    lengths[:2] = [[1, 0], [2, 1]]
    starts = np.zeros((7, 2), dtype=int)
    starts[0, 0] = 2
    bitmaps = np.zeros((7, 2), dtype=np.uint64)
    bitmaps[:2] = [[0b010, 0], [0b101, 0b010]]
    rows = {"absolute": ([0, 2, 1], [1]), "relative": ([0, 1, 1], [1]), "bitmap": ([0, 0, 0], [0])}[encoding]
    return LayerImage(
        spec=LayerSpec(
            inputs=2,
            neurons=5,
            weights=weights,
            bias=np.array([0, 1, -1, 1, 0]),
            threshold=np.array([1, 9, 3, 4, 5]),
            delays=np.array([2, 0, 2, 2, 7]),
            decay=Decay(1, 1),
        ),
        lanes=2,
        order=np.array([4, 3, 2, 1, 0]),
        starts=starts,
        lengths=lengths,
        indices=tuple(np.array(lane) for lane in rows),
        data=(np.array([3, 4, 5]), np.array([6])),
        encoding=encoding,
        extents=bitmaps if encoding == "bitmap" else None,
    )


@pytest.mark.parametrize(
    ("encoding", "index_bits", "extents"), [("absolute", 2, (2, 1)), ("relative", 1, (2, 1)), ("bitmap", 0, (5, 2))]
)
def test_synapses_are_the_same_in_every_encoding(encoding: str, index_bits: int, extents: tuple[int, int]) -> None:
    image = small_image(encoding)
    assert [array.tolist() for array in image.synapses(0)] == [[0, 1, 1], [1, 0, 2], [5, 3, 4]]
    assert [array.tolist() for array in image.synapses(1)] == [[1], [1], [6]]
    assert (image.extent(1, 0), image.extent(0, 0)) == extents
    assert (image.index_bits, image.synapse_bits) == (index_bits, index_bits + 8)
    # A start of 2 bits; for both lanes an offset of 2 bits and a length of 2 or a bit for each of 3 rows.
    assert image.pointer_bits == 2 + 2 * (2 + (3 if encoding == "bitmap" else 2))


def test_spikes_that_come_back_are_asked_for_by_position() -> None:
    image = small_image()
    assert image.loop is not None and image.onward is None
    assert image.loop.delays.tolist() == [7, 2, 2, 0, 2]
    assert list(image.plans) == [""]


def test_positions_without_a_neuron_are_filled() -> None:
    assert small_image().by_position(np.array([10, 11, 12, 13, 14]), -1).tolist() == [[14, 13], [12, 11], [10, -1]]


def test_widths_are_those_of_the_contents() -> None:
    image = small_image()
    assert (image.rows, image.row_bits, image.threshold_bits, image.bias_bits) == (3, 2, 4, 2)
