import numpy as np
import pytest

from spikewright.layout.limit import bits_per_synapse
from spikewright.predict.resources import memories
from spikewright.report.cost import stored_bits
from spikewright.viewer.memory import UNUSED, densities, lanes_of, places, whole_density
from spikewright.viewer.subject import subject_of


@pytest.mark.parametrize("name", ["build", "model"])
def test_every_synapse_has_its_word(things, name):
    core = subject_of(things[name]).core
    maps = lanes_of(core)
    used = sum(int((item.words != UNUSED).sum()) for item in maps)
    assert used == sum(layer.synapses for layer in core.network.layers)
    for item, image in zip(maps, core.memories.values(), strict=True):
        for lane in range(image.lanes):
            axon, _, _ = image.synapses(lane)
            stored = item.axons[lane][item.axons[lane] != UNUSED]
            assert sorted(stored.tolist()) == sorted(axon.tolist())
        assert item.unused == pytest.approx(1 - (item.axons != UNUSED).sum() / item.words.size)


def test_kinds_are_told_apart(things):
    core = subject_of(things["model"]).core
    second = lanes_of(core)[1]
    assert second.kinds == ("inputs", "recurrent")
    assert np.array_equal(second.words == 1, second.axons >= 8)
    recurrent = np.count_nonzero(core.network.layers[1].weights[:, 8:])
    assert int((second.words == 1).sum()) == recurrent
    [engine] = lanes_of(subject_of(things["build"]).core)
    assert engine.kinds == ("layer 0, inputs", "layer 1, inputs", "layer 1, recurrent", "layer 2, inputs")
    assert int((engine.words == 2).sum()) == recurrent


@pytest.mark.parametrize("name", ["build", "model"])
def test_bits_per_synapse_are_those_of_the_core(things, name):
    core = subject_of(things[name], lanes=2 if name == "model" else None).core
    found = densities(core)
    total = sum(item.stored[item.chosen] * item.synapses for item in found)
    assert total == pytest.approx(stored_bits(core))
    for item in found:
        assert item.limit < min(item.stored.values())
    weights, synapses = (sum(getattr(of, n) if n == "synapses" else of.weights.size for of in core.network.layers)
                         for n in ("weights", "synapses"))  # fmt: skip
    limit = bits_per_synapse(weights, synapses, 8)
    assert whole_density(core, stored_bits(core)) == (stored_bits(core) / synapses, limit)


def test_without_a_synapse_there_is_no_density(empty):
    core = subject_of(empty).core
    assert densities(core) == []
    assert whole_density(core, 100) is None
    assert [item.unused for item in lanes_of(core)] == [1, 1, 1]


def test_all_memories_are_listed(things):
    core = subject_of(things["model"], lanes=4).core
    found = places(core, "ecp5")
    assert sum(item.bits for item in found) == sum(of.count * of.words * of.width for of in memories(core))
    synapses = next(item for item in found if item.name == "layer1_synapses")
    assert synapses.count == 4
    assert len({item.name for item in found}) == len(found)


def test_what_is_unused_of_a_block_is_counted():
    core = subject_of("synth-small").core
    for target, block in (("ecp5", 18432), ("ice40", 4096)):
        for item in places(core, target):
            if item.name.endswith("_ring") and item.brams:
                assert item.unused == pytest.approx(1 - item.bits / (item.brams * block))
            assert item.unused is None or 0 <= item.unused < 1
        assert any(item.brams for item in places(core, target))
