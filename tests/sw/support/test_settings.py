import pytest

from spikewright.learn.config import load_config
from spikewright.support.settings import brief, difference, flatten


def test_settings_have_their_full_names():
    flat = flatten(load_config("synth-small").to_dict())
    assert flat["training.optimizer"] == "adabreg"
    assert flat["network.layers.1.max_delay"] == 62
    assert flat["training.validation_speakers"] == (0, 7, 19, 30, 41, 51, 64, 86)
    assert all(not isinstance(value, dict | list) for value in flat.values())


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"a": {"b": 1}, "c": [1, 2]}, ""),
        ({"a": {"b": 2}, "c": [1, 2]}, "a.b"),
        ({"a": {"b": True}, "c": [1, 2]}, "a.b"),
        ({"a": {"b": 1}, "c": [1, 3]}, "c"),
        ({"a": {"b": 1}}, "c"),
        ({"a": {"b": 1}, "c": [1, 2], "d": "e"}, "d"),
    ],
)
def test_the_first_difference_is_named(other, name):
    assert difference({"a": {"b": 1}, "c": [1, 2]}, other) == name


def test_another_number_of_layers_is_one_difference():
    two, one = {"network": {"layers": [{"n": 1}, {"n": 2}]}}, {"network": {"layers": [{"n": 1}]}}
    assert difference(two, one) == difference(one, two) == "network.layers"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e-5, "1e-05"), (3.0, "3"), (20, "20"), ("none", "none"), ((3, 9), "3+9"), ((), "none")],
)
def test_values_are_brief(value, text):
    assert brief(value) == text
