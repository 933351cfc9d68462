import numpy as np
import pytest

from data_files import write_images, write_recordings
from spikewright.contract.errors import InputError
from spikewright.data import mnist, shd
from spikewright.data.sets import PARTS, file_of, load_split
from spikewright.learn.config import DataConfig


def test_recordings_are_found_by_the_name_of_the_data_set(tmp_path):
    write_recordings(tmp_path / "shd_test.h5", 4)
    write_recordings(tmp_path / "ssc_valid.h5", 6)
    assert len(load_split(DataConfig(), tmp_path, "test", timesteps=100)) == 4
    ssc = load_split(DataConfig(name="ssc"), tmp_path, "valid", timesteps=250, timestep=0.0056)
    same = shd.load(tmp_path / "ssc_valid.h5", timesteps=250, timestep=0.0056)
    assert ssc.counts.shape == (6, 250, 140)
    assert np.array_equal(ssc.counts, same.counts)


def test_images_become_sequences(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    write_images(tmp_path, images, [7, 8, 9])
    data = DataConfig(name="psmnist", pool=2, permutation_seed=5)
    loaded = load_split(data, tmp_path, "test", timesteps=196)
    same = mnist.load_split(tmp_path, "test", pool=2, permutation_seed=5)
    assert np.array_equal(loaded.counts, same.counts)
    assert not np.array_equal(loaded.counts, mnist.load_split(tmp_path, "test", pool=2).counts)


@pytest.mark.parametrize("name", ["ssc", "psmnist"])
def test_at_most(tmp_path, name):
    write_recordings(tmp_path / "ssc_test.h5", 3)
    write_images(tmp_path, np.zeros((3, 28, 28)), [0, 1, 2])
    data = DataConfig(name=name)
    for most, found in ((2, 2), (3, 3), (9, 3)):
        loaded = load_split(data, tmp_path, "test", timesteps=784, at_most=most)
        assert len(loaded) == len(loaded.counts) == len(loaded.speakers) == found
        assert loaded.labels.tolist() == [0, 1, 2][:found]


def test_parts_that_a_data_set_has_not(tmp_path):
    assert file_of(DataConfig(name="ssc"), tmp_path, "valid") == tmp_path / "ssc_valid.h5"
    for name, message in [
        ("shd", "split of shd must be train or test, not valid"),
        ("psmnist", "split of psmnist must be train or test, not valid"),
    ]:
        with pytest.raises(InputError) as error:
            load_split(DataConfig(name=name), tmp_path, "valid", timesteps=100)
        assert str(error.value) == message
    with pytest.raises(InputError) as error:
        file_of(DataConfig(name="ssc"), tmp_path, "dev")
    assert str(error.value) == "split of ssc must be train, valid or test, not dev"
    assert set(PARTS) == {"shd", "ssc", "psmnist"}


def test_a_step_for_each_pixel(tmp_path):
    with pytest.raises(InputError) as error:
        load_split(DataConfig(name="psmnist"), tmp_path, "test", timesteps=196)
    assert str(error.value) == "timesteps must be 784 for psmnist, one for each pixel, not 196"
