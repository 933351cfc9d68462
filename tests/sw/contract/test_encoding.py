import numpy as np
import pytest

from spikewright.contract.encoding import encoding_named, encoding_names
from spikewright.contract.errors import InputError


def test_of_equal_ones_the_first_is_chosen() -> None:
    assert encoding_names() == ("absolute", "relative", "bitmap")


@pytest.mark.parametrize("name", ["huffman", "", "__init__", "../x", None, 3])
def test_an_encoding_that_is_not_there(name: object) -> None:
    with pytest.raises(InputError) as raised:
        encoding_named(name)  # type: ignore[arg-type]
    assert str(raised.value) == f"encoding must be one of absolute, relative, bitmap, not {name!r}"


def test_an_encoding_that_is_nearly_there() -> None:
    with pytest.raises(InputError) as raised:
        encoding_named("relativ")
    assert str(raised.value).endswith("bitmap, not 'relativ'; did you mean relative?")


@pytest.mark.parametrize("rows", [1, 2, 33, 64])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("name", encoding_names())
def test_what_is_encoded_is_decoded_and_fits(name: str, density: float, rows: int) -> None:
    encoding = encoding_named(name)
    present = np.random.default_rng(rows).random((20, 3, rows)) < density
    axon, lane, row = np.nonzero(present)
    indices, extents = encoding.encode(present), encoding.extents(present)
    lengths = present.sum(axis=2)
    np.testing.assert_array_equal(encoding.lengths(extents), lengths)
    for number in range(3):
        here = lane == number
        np.testing.assert_array_equal(encoding.decode(extents[:, number], indices[here], rows), row[here])
    # An event asks for a run where its extent is not 0.
    np.testing.assert_array_equal(extents == 0, lengths == 0)
    highest = int(indices.max(initial=0))
    assert indices.min(initial=0) == 0
    assert highest < 1 << encoding.index_bits(rows, highest)
    assert int(extents.max()) < 1 << encoding.extent_bits(rows, max(1, int(lengths.max()).bit_length()))
    assert min(encoding.walk_cost(rows, 1, 0)) >= 0


def test_a_bitmap_is_for_few_rows() -> None:
    assert encoding_named("bitmap").refusal(64) is None
    assert encoding_named("bitmap").refusal(65) == "rows of a lane must be at most 64 for bitmaps, not 65"
    assert [encoding_named(name).refusal(1000) for name in ("absolute", "relative")] == [None, None]
