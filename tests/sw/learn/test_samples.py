import pytest

import tiny_training
from spikewright.contract.errors import InputError
from spikewright.learn.config import load_config
from spikewright.learn.samples import load_parts
from spikewright.learn.train import train
from spikewright.learn.validation import warn_if_few


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return tiny_training.write_all(tmp_path_factory.mktemp("words"))


def test_holds_out_the_configured_speakers(words):
    path, data = words
    training, validation = load_parts(load_config(path), data)
    assert (len(training), len(validation)) == (60, 30)
    assert training.counts.shape == (60, 12, 10)


@pytest.mark.parametrize(
    ("samples", "words_of_it"),
    [(1, "1 sample, too few to choose an epoch by (each is 100 % of the accuracy)"),
     (49, "49 samples, too few to choose an epoch by (each is 2.04 % of the accuracy)"),
     (50, None)],
)  # fmt: skip
def test_a_small_validation_part_is_told(samples, words_of_it, capsys):
    warn_if_few(samples)
    said = f"spikewright: warning: the validation part has {words_of_it}\n" if words_of_it else ""
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(("keep", "told"), [("best", True), ("last", False)])
def test_a_training_tells_where_an_epoch_is_chosen(words, tmp_path, capsys, keep, told):
    path, data = words
    train(path, data, tmp_path, {"epochs": "1", "keep": keep})
    assert ("warning: the validation part has 30 samples" in capsys.readouterr().err) == told


@pytest.mark.parametrize(
    ("training", "validation", "message"),
    [(0, 5, "training part must have samples, at least 2, not 0"),
     (1, 5, "training part must have samples, at least 2, not 1"),
     (5, 0, "validation part must have samples, at least 1, not 0")],
)  # fmt: skip
def test_parts_of_too_few_samples(words, tmp_path, training, validation, message):
    for name, samples in (("train", training), ("valid", validation)):
        tiny_training.write_words(tmp_path / f"ssc_{name}.h5", samples)
    with pytest.raises(InputError) as error:
        train(words[0], tmp_path, tmp_path / "run", {"data.name": "ssc", "validation_speakers": "[]"})
    assert str(error.value) == message


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
