import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.integer.reference import IntegerNetwork
from spikewright.viewer.subject import subject_of


def test_what_it_is_is_found_out(things):
    kinds = {name: subject_of(things[name]).kind for name in ("checkpoint", "model", "build", "network", "spec")}
    assert kinds == {
        "checkpoint": "float network", "model": "integer network", "build": "build",
        "network": "float network", "spec": "integer network",
    }  # fmt: skip
    assert subject_of(IntegerNetwork(things["spec"])).kind == "integer network"
    shipped = subject_of("synth-small", lanes=16)
    assert (shipped.name, shipped.sizes, shipped.core.lanes) == ("synth-small", "140-42-42-20", 16)


def test_layers_are_those_of_the_network(things):
    floats, integers = subject_of(things["network"]), subject_of(things["model"])
    for subject in (floats, integers):
        assert [(of.neurons, of.inputs, of.spiking, of.own is not None) for of in subject.layers] == [
            (8, 10, True, False), (8, 8, True, True), (3, 8, False, False),
        ]  # fmt: skip
    spec = things["spec"].layers[1]
    assert np.array_equal(np.hstack(integers.layers[1].matrices), spec.weights)
    assert np.array_equal(integers.layers[1].delays, spec.delays)
    assert integers.layers[1].synapses == spec.synapses
    assert integers.layers[1].weights == 128
    assert np.array_equal(floats.layers[0].feed, things["network"].layers[0].weight.detach().numpy())


def test_the_core_is_that_of_the_build_or_what_generate_would_make(things):
    core = subject_of(things["build"]).core
    assert (core.lanes, core.kind) == (4, "shared")
    subject = subject_of(things["checkpoint"], lanes=2, weight_bits=5)
    assert (subject.core.lanes, subject.core.network.layers[0].weight_bits) == (2, 5)
    assert subject.how == "the core that `spikewright generate --lanes 2` makes of it, once quantized to 5 bits"
    assert subject_of(things["model"]).core.lanes == 8


def test_where_it_comes_from_is_told(things):
    made = dict(subject_of(things["model"]).made)
    assert made["file"] == "model.safetensors"
    assert len(made["SHA-256"]) == 64
    assert made["made by"] == "<b>us</b>"
    assert dict(subject_of(things["build"]).made)["format"] == "spikewright-build-1"
    assert subject_of(things["spec"]).made == ()


def test_what_no_core_can_have_says_why(of_softmax):
    subject = subject_of(of_softmax)
    assert subject.core is None
    assert subject.no_core == "It decides by softmax_sum, which no core does."


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("build", {"lanes": 8}, r"^lanes must be left out for a build, which has its own, and not be 8$"),
        ("model", {"weight_bits": 4}, r"^weight bits must be left out for integers, which have their own, and not"),
        ("build", {"weight_bits": 4}, r"^weight bits must be left out for integers"),
        ("spec", {"weight_bits": 4}, r"^weight bits must be left out for integers"),
        ("model", {"lanes": 3}, r"^lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 3$"),
    ],
)
def test_options_without_meaning_are_refused(things, name, options, message):
    with pytest.raises(InputError, match=message):
        subject_of(things[name], **options)


def test_other_things_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"^thing must be a network, or the path of one, not int$"):
        subject_of(3)
    (tmp_path / "x").write_text("no")
    with pytest.raises(InputError, match=r"x: not a readable safetensors file"):
        subject_of(tmp_path / "x")
    with pytest.raises(InputError, match=r"manifest.json"):
        subject_of(tmp_path)
    with pytest.raises(InputError, match=r"^checkpoint must be a file or one of .*, not nothing$"):
        subject_of("nothing")
