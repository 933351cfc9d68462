import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from random_networks import random_network
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.integer.file import is_model, load_info, load_model, save_model


def test_round_trip(tmp_path: Path) -> None:
    spec = random_network(
        0,
        recurrent=(True, False),
        neuron=IntegerLIF("late", strict=True),
        weight_shift=2,
        current_decays=(None, Decay(5, 3)),
    )
    save_model(tmp_path / "net.safetensors", spec, {"from": "a test"})
    again = load_model(tmp_path / "net.safetensors")
    assert (again.timesteps, again.readout) == (spec.timesteps, spec.readout)
    for before, after in zip(spec.layers, again.layers, strict=True):
        for name in (
            "inputs",
            "neurons",
            "decay",
            "current_decay",
            "neuron",
            "weight_bits",
            "weight_shift",
            "value_bits",
        ):
            assert getattr(after, name) == getattr(before, name)
        for name in ("weights", "bias", "threshold", "delays"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert load_info(tmp_path / "net.safetensors") == {"from": "a test"}
    assert is_model(tmp_path / "net.safetensors")


def _tampered(tmp_path: Path, change: str) -> Path:
    path = tmp_path / "net.safetensors"
    save_model(path, random_network(0))
    tensors = load_file(path)
    metadata = {"format": "spikewright-integer-network-1", "info": "{}"}
    network = {"timesteps": 20, "readout": "sum", "layers": []}
    for index in range(3):
        layer = random_network(0).layers[index]
        network["layers"].append(
            {
                "inputs": layer.inputs,
                "neurons": layer.neurons,
                "weight_bits": 8,
                "weight_shift": 0,
                "value_bits": 3 if index == 0 else 1,
                "reset": "hard",
                "decay": {"multiplier": 3, "shift": 6},
            }
        )
    if change == "missing tensor":
        del tensors["layers.1.bias"]
    elif change == "extra tensor":
        tensors["payload"] = np.zeros(3)
    elif change == "float weights":
        tensors["layers.0.weights"] = np.full((9, 12), np.nan)
    elif change == "shape":
        tensors["layers.0.weights"] = tensors["layers.0.weights"][:, :-1].copy()
    elif change == "threshold":
        tensors["layers.0.threshold"] = tensors["layers.0.threshold"] * 0
    elif change == "layers":
        network["layers"] = "none"
    elif change == "bits":
        network["layers"][0]["weight_bits"] = 8.0
    elif change == "many layers":
        network["layers"] = network["layers"] * 33
        del network["layers"][65:]
    elif change == "no table":
        network["layers"][1] = "none"
    elif change == "no leak":
        network["layers"][0]["decay"] = [3, 6]
    elif change == "no decay":
        del network["layers"][0]["decay"]
    elif change == "order":
        network["layers"] = network["layers"][:1]
        tensors = {name: value for name, value in tensors.items() if name.startswith("layers.0.")}
    metadata["network"] = {"json": "{", "twice": '{"layers": [], "layers": []}'}.get(change, json.dumps(network))
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing tensor", "tensor 'layers.1.bias' is missing"),
        ("extra tensor", "unexpected tensor 'payload'"),
        ("float weights", "layer 0: weights must be integers, not float64"),
        ("shape", "layer 0: weights must have shape (9, 12), not (9, 11)"),
        ("threshold", "layer 0: threshold must be 1 .. 1099511627775, not 0 (at 0)"),
        ("layers", "metadata 'network' must hold a list of at most 64 layers, not 'none'"),
        ("many layers", "metadata 'network' must hold a list of at most 64 layers, not 65 layers"),
        ("no table", "layer 1 must be a JSON object, not 'none'"),
        ("no leak", "layer 0: decay must be a JSON object, not [3, 6]"),
        ("twice", "metadata 'network' must be JSON, not text with: key 'layers' twice"),
        ("bits", "layer 0: weight_bits must be an integer, not 8.0"),
        ("no decay", "field 'decay' is missing"),
        ("order", "layer 0 must be the read-out: the last one is"),
        (
            "json",
            "metadata 'network' must be JSON, not text with: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
    ],
)
def test_inconsistent_file_names_the_field(tmp_path: Path, change: str, message: str) -> None:
    path = _tampered(tmp_path, change)
    with pytest.raises(InputError) as error:
        load_model(path)
    assert str(error.value) == f"{path}: {message}"


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_model(path, random_network(0))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=r"net.safetensors: not a readable safetensors file"):
        load_model(path)
    assert not is_model(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_model(tmp_path / "none")
    assert str(error.value) == f"{tmp_path / 'none'}: no such file"
