import gzip

import numpy as np
import pytest

from data_files import idx, write_images
from spikewright.contract.errors import InputError
from spikewright.data import mnist

IMAGES, LABELS = mnist.FILES["test"]


@pytest.fixture
def part(tmp_path):
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (5, 28, 28), np.uint8)
    write_images(tmp_path, images, [3, 1, 4, 1, 9])
    return tmp_path, images


def test_each_step_shows_one_pixel_in_the_same_order(part):
    folder, images = part
    data = mnist.load_split(folder, "test", permutation_seed=7)
    order = np.random.RandomState(7).permutation(784)
    assert data.counts.shape == (5, 784, 1)
    assert data.counts.dtype == np.uint8
    assert np.array_equal(data.counts[:, :, 0], images.reshape(5, 784)[:, order])
    assert data.labels.tolist() == [3, 1, 4, 1, 9]
    assert data.speakers.tolist() == [-1] * 5
    assert data.keys == tuple("0123456789")


def test_the_order_is_frozen():
    # Models that are trained on one order are worthless on another: these numbers must never change.
    assert mnist.pixel_order(784, 0)[:8].tolist() == [693, 85, 647, 392, 765, 14, 299, 711]
    assert mnist.pixel_order(196, 0)[:8].tolist() == [83, 12, 33, 113, 171, 134, 163, 124]
    assert sorted(mnist.pixel_order(784, 5)) == list(range(784))


def test_pooling_averages_squares():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, :2, :2] = [[255, 255], [255, 254]]  # mean 254.75
    image[0, :2, 2:4] = [[1, 1], [0, 0]]  # mean 0.5
    image[0, 2:4, :2] = [[1, 0], [0, 0]]  # mean 0.25
    small = mnist.pooled(image, 2)
    assert small.shape == (1, 14, 14)
    assert small[0, :2, :2].tolist() == [[255, 1], [0, 0]]


def test_pooled_sequence(part):
    folder, images = part
    data = mnist.load_split(folder, "test", pool=2, samples=[4, 0])
    assert data.counts.shape == (2, 196, 1)
    assert data.labels.tolist() == [9, 3]
    small = mnist.pooled(images, 2)[[4, 0]].reshape(2, 196)
    assert np.array_equal(data.counts[:, :, 0], small[:, mnist.pixel_order(196, 0)])


def test_first_samples(part):
    assert mnist.load_split(part[0], "test", samples=2).labels.tolist() == [3, 1]


GOOD = idx(np.zeros((2, 28, 28)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", " must be an IDX file with magic number 00000803, not nothing"),
        (idx(np.zeros(2)), " must be an IDX file with magic number 00000803, not 00000801"),
        (idx(np.zeros((2, 28, 27))), ": samples must be of 28 x 28 bytes, not 28 x 27"),
        (GOOD[:-1], " must hold 1568 bytes for 2 samples, not 1567"),
        (GOOD + b"0", " must hold 1568 bytes for 2 samples, not more"),
        (GOOD[:4] + b"\xff" * 4 + GOOD[8:], ": samples must be at most 1000000, not 4294967295"),
        (idx(np.zeros((3, 28, 28))), "labels"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit(tmp_path, content, message):
    # Not packed where the cases are listed: gzip notes the second, and no two workers would list the same cases.
    (tmp_path / IMAGES).write_bytes(gzip.compress(content) if content else b"")
    (tmp_path / LABELS).write_bytes(gzip.compress(idx([1, 2])))
    with pytest.raises(InputError) as error:
        mnist.load_split(tmp_path, "test")
    if message == "labels":
        message = f"{tmp_path / LABELS} must hold 3 labels as {IMAGES} images, not 2"
    else:
        message = f"{tmp_path / IMAGES}{message}"
    assert str(error.value) == message


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not gzip"])
def test_damaged_files_are_named(part, damage):
    path = part[0] / IMAGES
    raw = bytearray(path.read_bytes())
    if damage == "truncated":
        raw = raw[: len(raw) // 2]
    elif damage == "flipped":
        raw[-6] ^= 1  # the check sum at the end
    else:
        raw[0] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError) as error:
        mnist.load_split(part[0], "test")
    assert str(error.value).startswith(f"{path} must be a complete gzip file, not a damaged or different one (")


def test_other_errors(part):
    folder, images = part
    with pytest.raises(InputError) as error:
        mnist.load_split(folder, "train")
    assert str(error.value) == f"{folder / mnist.FILES['train'][1]} must be a gzipped IDX file, not missing"
    for arguments, message in [
        ({"split": "valid"}, "split of psmnist must be train or test, not valid"),
        ({"split": "test", "pool": 3}, "pool must divide 28, not 3"),
        ({"split": "test", "samples": 6}, f"samples must be between 0 and 5 (all of {folder / IMAGES}), not 6"),
        ({"split": "test", "samples": [5]}, f"samples must be rows between 0 and 4 of {folder / IMAGES}, not 5"),
    ]:
        with pytest.raises(InputError) as error:
            mnist.load_split(folder, **arguments)
        assert str(error.value) == message
    write_images(folder, images, [0, 1, 10, 3, 4])
    with pytest.raises(InputError) as error:
        mnist.load_split(folder, "test")
    assert str(error.value) == f"{folder / LABELS}: sample 2: labels must be 0 .. 9, not 10"


def test_the_published_images(shared_dir):
    data = mnist.load_split(shared_dir / "data" / "mnist", "test")
    assert data.counts.shape == (10_000, 784, 1)
    assert np.bincount(data.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.counts.max() == 255
    # Four fifths of the pixels are background, hence no events.
    assert 0.80 < float((data.counts == 0).mean()) < 0.82
