import dataclasses

import numpy as np
import pytest
import torch

from spikewright.build.generate import build
from spikewright.data.shd import SpikeData
from spikewright.integer.file import save_model
from spikewright.integer.rounding import quantize
from spikewright.learn.checkpoint import load_checkpoint
from tiny_training import write_run


@pytest.fixture(scope="session")
def things(tmp_path_factory):
    """A checkpoint, an integer network and a build of it, of 10-8-8-3 and 12 steps."""
    folder = tmp_path_factory.mktemp("things")
    checkpoint = write_run(folder / "run") / "checkpoint.safetensors"
    network = load_checkpoint(checkpoint)
    with torch.no_grad():
        for weight in network.weight_matrices().values():
            weight.mul_(4)  # so that it fires
    spec = quantize(network)
    save_model(folder / "model.safetensors", spec, {"made by": "<b>us</b>"})
    build(folder / "model.safetensors", folder / "build", 4, layers="shared")
    return {
        "checkpoint": checkpoint, "network": network, "spec": spec, "model": folder / "model.safetensors",
        "build": folder / "build",
    }  # fmt: skip


@pytest.fixture(scope="session")
def data():
    """Five recordings, the name of a class like a tag."""
    generator = np.random.default_rng(0)
    counts = generator.poisson(0.5, (5, 12, 10)).astype(np.uint8)
    labels = np.array([0, 1, 2, 0, 1])
    return SpikeData(counts, labels, np.full(5, -1), ("<script>", "b", "c"))


@pytest.fixture(scope="session")
def of_softmax(tmp_path_factory):
    """A checkpoint that no core can have."""
    folder = write_run(tmp_path_factory.mktemp("softmax") / "run", readout="softmax_sum")
    return folder / "checkpoint.safetensors"


@pytest.fixture(scope="session")
def empty(things):
    """The integer network without any synapse."""
    layers = [dataclasses.replace(of, weights=np.zeros_like(of.weights)) for of in things["spec"].layers]
    return dataclasses.replace(things["spec"], layers=tuple(layers))
