from typing import Any

import pytest

from spikewright.contract.neuron import all_neurons, neuron_from, usual_neuron
from spikewright.contract.neurons.lif import IntegerLIF


def test_the_usual_neuron_is_described_by_its_reset_alone() -> None:
    assert usual_neuron() == IntegerLIF("hard", strict=False)
    assert usual_neuron().as_dict() == {"reset": "hard"}
    assert IntegerLIF("late", strict=True).as_dict() == {"reset": "late", "strict": True}


def test_descriptions_make_the_same_neurons_again() -> None:
    for neuron in all_neurons():
        assert neuron_from({**neuron.as_dict(), "inputs": 3}) == neuron
        assert neuron_from({"neuron": "lif", **neuron.as_dict()}) == neuron
    assert len({neuron.label for neuron in all_neurons()}) == len(all_neurons()) == 14


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reset": "zero"}, "reset must be one of hard, soft, late, none, dead, twice, not 'zero'"),
        ({"reset": []}, "reset must be one of hard, soft, late, none, dead, twice, not []"),
        ({"reset": "hard", "strict": 1}, "strict must be true or false, not 1"),
        ({"reset": "soft", "max_spikes": 0}, "max_spikes must be 1 .. 255, not 0"),
        ({"reset": "soft", "max_spikes": 256}, "max_spikes must be 1 .. 255, not 256"),
        (
            {"reset": "late", "max_spikes": 3},
            "max_spikes must be 1 but with a soft or a hard reset at the threshold, not with late reset",
        ),
        ({"neuron": "izhikevich", "reset": "hard"}, "neuron must be one of lif, not 'izhikevich'"),
        ({"neuron": ["lif"], "reset": "hard"}, "neuron must be one of lif, not ['lif']"),
    ],
)
def test_descriptions_of_nothing_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        neuron_from(values)
    assert str(error.value) == message


def test_a_description_without_a_reset_is_not_complete() -> None:
    with pytest.raises(KeyError, match="reset"):
        neuron_from({})
