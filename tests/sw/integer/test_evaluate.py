import json

import numpy as np
import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.data.shd import SpikeData
from spikewright.integer.evaluate import evaluate, load_network
from spikewright.integer.file import save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.learn.checkpoint import save_checkpoint
from spikewright.learn.config import Config, LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.samples import Samples

CONFIG = Config(
    network=NetworkConfig(
        inputs=6,
        classes=3,
        timesteps=15,
        layers=(LayerConfig(neurons=8, dropout=0.5), LayerConfig(neurons=5, recurrent=True)),
    )
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SpikingNetwork(CONFIG.network, 0.5).eval()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return SpikeData(
        rng.integers(0, 5, (23, 15, 6)).astype(np.uint8),
        rng.integers(0, 3, 23),
        np.zeros(23, np.int64),
        ("a", "b", "c"),
    )


def test_reports_what_a_loop_over_samples_finds(network, data):
    report = evaluate(network, data, batch=7)
    hits, fired = 0, [0.0, 0.0]
    for counts, label in zip(data.counts, data.labels, strict=True):
        trace = network.run(torch.tensor(counts).unsqueeze(0))
        hits += int(trace.classes[0]) == label
        fired = [f + s.sum().item() for f, s in zip(fired, trace.spikes, strict=True)]
    assert report["accuracy"] == hits / 23
    assert report["samples"] == 23
    shapes = [layer["shape"] for layer in report["layers"]]
    assert shapes == [[8, 6], [5, 8 + 5], [3, 5]]
    assert [layer["firing_rate"] for layer in report["layers"]] == [
        pytest.approx(fired[0] / (23 * 15 * 8)),
        pytest.approx(fired[1] / (23 * 15 * 5)),
        None,
    ]
    zeros = [int((w == 0).sum()) for w in network.weight_matrices().values()]
    assert [layer["nnz"] for layer in report["layers"]] == [48 - zeros[0], 65 - zeros[1] - zeros[2], 15 - zeros[3]]
    assert report["sparsity"] == pytest.approx(sum(zeros) / 128)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_batch_changes_nothing(network, data):
    assert evaluate(network, data, batch=1) == evaluate(network, data, batch=100)


def test_training_mode_is_left_as_it_was(network, data):
    expected = evaluate(network, data)
    network.train()
    assert evaluate(network, data) == expected
    assert network.training


def test_integer_networks_report_alike(network, data):
    one, other = evaluate(network, data), evaluate(IntegerNetwork(quantize(network, weight_bits=12)), data)
    assert [layer["shape"] for layer in one["layers"]] == [layer["shape"] for layer in other["layers"]]
    assert one["layers"][0]["firing_rate"] == pytest.approx(other["layers"][0]["firing_rate"], rel=0.1)


def test_either_kind_of_file(network, data, tmp_path):
    save_checkpoint(tmp_path / "float.safetensors", network, CONFIG, {})
    save_model(tmp_path / "integer.safetensors", quantize(network))
    assert evaluate(load_network(tmp_path / "float.safetensors"), data) == evaluate(network, data)
    integer = load_network(tmp_path / "integer.safetensors")
    assert isinstance(integer, IntegerNetwork)
    assert evaluate(integer, data) == evaluate(IntegerNetwork(quantize(network)), data)


def test_no_samples_and_other_channels(network, data):
    empty = SpikeData(data.counts[:0], data.labels[:0], data.speakers[:0], data.keys)
    with pytest.raises(InputError) as error:
        evaluate(network, empty)
    assert str(error.value) == "data must hold at least one sample, not 0"
    narrow = SpikeData(data.counts[:, :, :5], data.labels, data.speakers, data.keys)
    with pytest.raises(InputError) as error:
        evaluate(network, narrow)
    assert str(error.value) == "data must be (samples, 15 steps, 6 channels), not (23, 15, 5)"
    turned = SpikeData(data.counts.transpose(1, 0, 2), data.labels[:15], data.speakers[:15], data.keys)
    with pytest.raises(InputError) as error:
        evaluate(network, turned)
    assert str(error.value) == "data must be (samples, 15 steps, 6 channels), not (15, 23, 6)"


def test_a_label_for_each_sample(data):
    with pytest.raises(InputError) as error:
        SpikeData(data.counts, data.labels[:1], data.speakers, data.keys)
    assert str(error.value) == "labels must be one for each of the 23 samples, not of shape (1,)"
    with pytest.raises(InputError) as error:
        Samples(torch.from_numpy(data.counts), torch.from_numpy(data.labels[:22]))
    assert str(error.value) == "labels must be one for each of the 23 samples, not of shape (22,)"
