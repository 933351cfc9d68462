import dataclasses

import numpy as np
import pytest
import torch

from spikewright.build.generate import build
from spikewright.contract.errors import InputError
from spikewright.integer.file import save_model
from spikewright.integer.operations import total_operations
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.layout.pack import pack
from spikewright.learn.checkpoint import save_checkpoint
from spikewright.learn.samples import Samples, load_parts
from spikewright.learn.train import train
from spikewright.report.cost import Meter, counted_operations, estimated_operations, stored_bits
from spikewright.report.runs import read
from tiny_training import write_all, write_run


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(tiny[0], tiny[1], folder, {"epochs": "3"})
    return folder


@pytest.fixture
def spec(tmp_path):
    return quantize(read("a", write_run(tmp_path / "random")).network)


@pytest.mark.parametrize("lanes", [1, 4])
def test_stored_bits_are_those_of_the_memories(spec, tmp_path, lanes):
    save_model(tmp_path / "model.safetensors", spec, {})
    memory = build(tmp_path / "model.safetensors", tmp_path / "build", lanes)["memory_bits"]
    stored = sum(bits for name, bits in memory.items() if name.endswith(("_rows", "_synapses")))
    assert stored_bits(pack(spec, lanes)) == stored > 0


def test_operations_are_those_that_the_simulation_counts(spec):
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 3, (50, 12, 10), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 3, (50,), generator=generator)
    operations, accuracy = counted_operations(spec, Samples(counts, labels), batch=16)
    trace = IntegerNetwork(spec).run(counts)
    assert sum(int(spikes.sum()) for spikes in trace.spikes) > 100
    assert operations == total_operations(spec, counts, trace.spikes).sparse / 50
    assert accuracy == int((trace.classes == labels).sum()) / 50


def test_the_estimate_is_exact_where_all_neurons_fire_alike(spec):
    dense = [
        dataclasses.replace(layer, weights=np.ones_like(layer.weights), delays=None if layer.delays is None else
                            np.zeros_like(layer.delays))
        for layer in spec.layers
    ]  # fmt: skip
    network = dataclasses.replace(spec, layers=tuple(dense))
    # 12 steps; 8 neurons into 8, then 8 into 8 (recurrent) and 3.
    assert estimated_operations(network, (0.25, 0.5)) == 12 * (0.25 * 64 + 0.5 * (64 + 24))


def test_without_recordings_operations_are_estimated(trained):
    run = read("a", trained)
    cost = Meter(None, 8, 4).measure(run)
    spec = quantize(run.network)
    assert cost.operations == estimated_operations(spec, run.best.rates)
    assert cost.accuracy is None
    assert cost.bits == stored_bits(pack(spec, 4))
    assert cost.synapses == sum(layer.synapses for layer in spec.layers)
    assert cost.delay == int(spec.layers[1].delays.max())
    assert not Meter(None, 8, 4).counted


def test_with_recordings_operations_are_counted(trained, tiny):
    run = read("a", trained)
    meter = Meter(tiny[1], 8, 4)
    cost = meter.measure(run)
    assert meter.counted
    samples = load_parts(run.config, tiny[1])[1]
    spec = quantize(run.network)
    assert (cost.operations, cost.accuracy) == counted_operations(spec, samples)
    assert 0 <= meter.test(run) <= 1


def test_other_recordings_are_refused(trained, tiny):
    run = read("a", trained)
    best = dataclasses.replace(run.best, validation_accuracy=(run.best.validation_accuracy + 0.5) % 1)
    with pytest.raises(InputError) as error:
        Meter(tiny[1], 8, 4).measure(dataclasses.replace(run, best=best))
    assert str(error.value) == (
        f"data must be the recordings that a was trained on, not {tiny[1]}: its validation accuracy there is "
        f"{run.best.validation_accuracy:.4f} instead of {best.validation_accuracy:.4f}"
    )


def test_a_network_that_cannot_be_quantized_is_named(tmp_path):
    folder = write_run(tmp_path / "a")
    run = read("a", folder)
    with torch.no_grad():
        run.network.layers[0].norm.bias.fill_(1e30)
    save_checkpoint(folder / "checkpoint.safetensors", run.network, run.config, {})
    with pytest.raises(InputError, match=r"^a: layer 0 cannot be quantized"):
        Meter(None, 8, 4).measure(run)


def test_only_finished_runs_are_measured(tmp_path):
    run = read("a", write_run(tmp_path / "a", logged=1))
    with pytest.raises(InputError) as error:
        Meter(None, 8, 4).measure(run)
    assert str(error.value) == "a must be a finished run, not one that is unfinished"
