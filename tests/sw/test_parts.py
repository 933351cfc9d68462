import pytest

import tiny_training
from spikewright.config import load_config
from spikewright.errors import InputError
from spikewright.parts import load_parts
from spikewright.train import train


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return tiny_training.write_all(tmp_path_factory.mktemp("words"))


def test_holds_out_the_configured_speakers(words):
    path, data = words
    training, validation = load_parts(load_config(path), data)
    assert (len(training), len(validation)) == (60, 30)
    assert training.counts.shape == (60, 12, 10)


def test_holds_out_every_tenth_sample_where_no_speakers_are_named(words):
    path, data = words
    settings = {"validation_speakers": "[]"}
    training, validation = load_parts(load_config(path, settings), data)
    assert (len(training), len(validation)) == (81, 9)
    again = load_parts(load_config(path, settings), data)[1]
    assert again.counts.equal(validation.counts)
    other = load_parts(load_config(path, {**settings, "seed": "1"}), data)[1]
    assert not other.counts.equal(validation.counts)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation_speakers": "[7]"}, "validation_speakers must be among 0, 1, 2, not 7"),
        ({"validation_speakers": "[0, 1, 2]"},
         "training part must have samples to train on and to hold out, not 90 in all"),
        ({"inputs": "11"}, "network.inputs must be 10, the channels of the data, not 11"),
        ({"classes": "2"}, "network.classes must be above 2, the highest label of the data, not 2"),
    ],
)  # fmt: skip
def test_data_that_does_not_fit(words, tmp_path, settings, message):
    path, data = words
    with pytest.raises(InputError) as error:
        train(path, data, tmp_path / "run", settings)
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()
