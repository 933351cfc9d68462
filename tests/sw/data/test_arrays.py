"""Samples of anybody in NumPy files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data import arrays
from spikewright.data.config import DataConfig
from spikewright.data.sets import file_of, load_split


def write(path: Path, **content: Any) -> Path:
    np.savez_compressed(path, **content)
    return path


@pytest.fixture
def values() -> Any:
    return np.random.default_rng(0).integers(0, 4, (5, 3, 2, 4))


def test_steps_come_first_in_the_file_and_samples_in_the_data(tmp_path: Path, values: Any) -> None:
    data = arrays.load(write(tmp_path / "data.npz", input=values, labels=[2, 0, 1]), timesteps=5)
    assert data.counts.shape == (3, 5, 8)
    assert data.counts.dtype == np.uint8
    np.testing.assert_array_equal(data.counts[1, 4], values[4, 1].ravel())
    assert data.labels.tolist() == [2, 0, 1]
    assert data.keys == ("0", "1", "2")
    assert arrays.load(tmp_path / "data.npz", at_most=2).labels.tolist() == [2, 0]


def test_labels_may_be_left_out(tmp_path: Path, values: Any) -> None:
    assert arrays.load(write(tmp_path / "data.npz", input=values)).labels.tolist() == [arrays.UNKNOWN] * 3


def test_a_file_is_every_part_of_any_data_set(tmp_path: Path, values: Any) -> None:
    path = write(tmp_path / "data.npz", input=values, labels=[2, 0, 1])
    for name in ("shd", "psmnist"):
        config = DataConfig(name=name)
        assert file_of(config, path, "train") == path
        assert load_split(config, path, "test", timesteps=5, samples=[2, 0]).labels.tolist() == [1, 2]
    assert len(load_split(config, path, "test", timesteps=5, samples=2)) == 2
    with pytest.raises(InputError, match="samples must be between 0 and 3"):
        load_split(config, path, "test", timesteps=5, samples=4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"inputs": np.zeros((5, 3, 2), int)}, "input must be given, not left out"),
        ({"input": np.zeros((5, 3, 2))}, "input must be whole numbers, not float64"),
        ({"input": np.zeros((5, 3), int)}, r"input must be \(steps, samples, inputs...\), not \(5, 3\)"),
        ({"input": np.full((5, 3, 2), 256)}, "input must be 0 .. 255, not 256"),
        ({"input": np.full((5, 3, 2), -1)}, "input must be 0 .. 255, not -1"),
        ({"input": np.zeros((4, 3, 2), int)}, "input must have 5 steps, not 4"),
        ({"input": np.zeros((5, 3, 2), int), "labels": [0, 1]}, "labels must be 3 classes of at least 0"),
        ({"input": np.zeros((5, 3, 2), int), "labels": [0, 1, -1]}, "labels must be 3 classes of at least 0"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "data.npz", **content)
    with pytest.raises(InputError, match=f"^{path}: {message}"):
        arrays.load(path, timesteps=5)


def test_damage_is_refused_and_nothing_is_run(tmp_path: Path, values: Any) -> None:
    whole = write(tmp_path / "whole.npz", input=values).read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="must be a complete NumPy file"):
        arrays.load(tmp_path / "half.npz")
    np.savez(tmp_path / "object.npz", input=np.array([print], object))
    with pytest.raises(InputError, match="must be a complete NumPy file"):
        arrays.load(tmp_path / "object.npz")
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, values)
    with pytest.raises(InputError, match="must be a file by numpy.savez, not one array"):
        arrays.load(tmp_path / "one.npz")
    with pytest.raises(InputError, match="must be a NumPy file with input and labels, not missing"):
        arrays.load(tmp_path / "none.npz")


def test_arrays_are_written_by_any_name(tmp_path: Path) -> None:
    written = {"a/b.c": np.arange(3), "file": np.zeros((2, 2))}
    arrays.save_spikes(tmp_path / "out.npz", written)
    with np.load(tmp_path / "out.npz") as read:
        assert sorted(read) == sorted(written)
        for name, array in written.items():
            np.testing.assert_array_equal(read[name], array)
