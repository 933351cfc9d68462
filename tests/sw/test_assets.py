"""The shipped checkpoints: sparse, integer without loss, and good at the shipped recordings."""

from importlib import resources

import pytest

from spikewright.data.shd import load
from spikewright.integer.evaluate import evaluate
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.learn.checkpoint import load_checkpoint, read_checkpoint

ASSETS = resources.files("spikewright") / "assets"
# The least share of zeros that each name promises.
CHECKPOINTS = {
    "shd-adam": 0.0,
    "shd-adabreg50": 0.5,
    "shd-adabreg70": 0.69,
    "shd-adabreg90": 0.9,
    "shd-fast": 0.89,
    "shd-small-adabreg": 0.7,
    "synth-full": 0.69,
    "synth-small": 0.8,
}


def shipped(name):
    with resources.as_file(ASSETS / name) as path:
        return path


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_is_sparse_and_documented(name):
    network, config, info = read_checkpoint(shipped(f"{name}.safetensors"))
    sizes = [config.network.inputs, *(layer.neurons for layer in config.network.layers), config.network.classes]
    assert sizes == ([140, 42, 42, 20] if "small" in name else [140, 256, 256, 20])
    weights = network.weight_matrices().values()
    zeros = sum(int((w == 0).sum()) for w in weights)
    assert zeros >= CHECKPOINTS[name] * sum(w.numel() for w in weights)
    card = (ASSETS / f"{name}.md").read_text("utf-8")
    for words in ("Data", "Seed", "Command", "Accuracy", "sparsity", "Firing rate", f"epoch {info['epoch']}"):
        assert words in card


def test_the_small_network_fits_a_small_memory():
    spec = quantize(load_checkpoint(shipped("synth-small.safetensors")))
    assert sum(layer.synapses for layer in spec.layers) <= 1900


@pytest.mark.parametrize("name", ["synth-full", "synth-small"])
def test_recognizes_the_shipped_recordings(name):
    network = load_checkpoint(shipped(f"{name}.safetensors"))
    data = load(shipped("synth_sample.h5"))
    accuracy = evaluate(network, data)["accuracy"]
    assert accuracy >= 0.9
    assert evaluate(IntegerNetwork(quantize(network)), data)["accuracy"] >= accuracy - 0.05
