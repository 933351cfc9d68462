import numpy as np
import pytest
import torch

from random_networks import random_network
from spikewright.contract.errors import InputError
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.data.shd import SpikeData
from spikewright.integer.file import save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.samples import Samples
from spikewright.predict.cycles import CycleModel
from spikewright.report.cost import counted_operations
from spikewright.viewer.activity import record
from spikewright.viewer.subject import subject_of


def test_spikes_and_scores_are_those_of_the_integer_network(things, data):
    recordings = record(subject_of(things["model"]), data)
    trace = IntegerNetwork(things["spec"]).run(torch.from_numpy(data.counts))
    assert sum(int(of.sum()) for of in trace.spikes) > 50
    for index, item in enumerate(recordings):
        assert np.array_equal(item.scores[-1], trace.scores[index])
        assert np.array_equal(item.scores[0], trace.membranes[-1][index, 0])
        assert item.decided == int(trace.classes[index])
        assert [np.array_equal(a, b[index]) for a, b in zip(item.spikes, trace.spikes, strict=True)] == [True, True]
        assert item.label == data.labels[index]


@pytest.mark.parametrize("name", ["network", "softmax"])
def test_the_scores_of_a_float_network_end_at_its_own(things, of_softmax, data, name):
    subject = subject_of(of_softmax if name == "softmax" else things["network"])
    recordings = record(subject, data)
    trace = subject.network.run(torch.from_numpy(data.counts))
    last = np.stack([item.scores[-1] for item in recordings])
    assert np.allclose(last, trace.scores.detach().numpy(), rtol=1e-4, atol=1e-4)
    assert (recordings[0].cycles is None) == (name == "softmax")


@pytest.mark.parametrize("name", ["build", "model"])
def test_cycles_are_those_of_the_cycle_model(things, data, name):
    subject = subject_of(things[name])
    recordings = record(subject, data)
    trace = IntegerNetwork(subject.core.network).run(torch.from_numpy(data.counts))
    for index in (0, 3):
        spikes = [layer[index].numpy() for layer in trace.spikes]
        alone = CycleModel(subject.core).run(data.counts[index], spikes, 0)
        found = recordings[index].cycles
        assert found.latency == alone.latency
        assert found.per_step.sum() == alone.steps[-1][-1]
        assert (found.per_step > 0).all()
        assert (
            found.integrating.tolist() == (alone.integrating // [image.lanes for image in subject.core.layers]).tolist()
        )


@pytest.mark.parametrize("most", [1, 5])
def test_the_synapses_of_a_single_lane_are_all_operations(things, data, tmp_path, most):
    spec, model = things["spec"], things["model"]
    if most > 1:
        several = IntegerLIF("soft", max_spikes=most)
        spec = random_network(1, (10, 8, 8, 3), recurrent=(True,), neuron=several, most_onward=2, timesteps=12)
        save_model(model := tmp_path / "several.safetensors", spec)
    recordings = record(subject_of(model, lanes=1), data)
    samples = Samples(torch.from_numpy(data.counts), torch.from_numpy(data.labels))
    operations, _ = counted_operations(spec, samples)
    assert np.mean([item.cycles.busiest.sum() for item in recordings]) == operations > 100


def test_data_of_another_shape_is_refused(things, data):
    short = SpikeData(data.counts[:, :-1], data.labels, data.speakers, data.keys)
    with pytest.raises(InputError, match=r"^data must be .*12.*, not .*11"):
        record(subject_of(things["model"]), short)
