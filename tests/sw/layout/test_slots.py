"""The words of a slotted core hold every synapse once, and neurons share slots where that costs no time."""

from dataclasses import replace

import numpy as np
import pytest

from random_networks import random_network
from spikewright.contract.cores import SlottedCore
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.layer import RATE_UNIT
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout.capacity import capacity_for
from spikewright.layout.pack import pack, unpack
from spikewright.layout.slots import grouped, slot_reads


def packed(network, lanes):
    core = pack(network, lanes, layers="slotted")
    assert isinstance(core, SlottedCore)
    return core


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_unpack_undoes_pack(lanes, density):
    network = random_network(lanes, (12, 21, 9, 5), recurrent=(True, False), density=density)
    core = packed(network, lanes)
    for of_network, layer in zip(network.layers, unpack(core).layers, strict=True):
        np.testing.assert_array_equal(layer.weights, of_network.weights)
    for slots in core.slots:
        # An absent axon has no word, and no other more than its fullest slot has synapses.
        present = np.zeros(slots.image.spec.axons, dtype=bool)
        for lane in range(slots.image.lanes):
            axon, row, _ = slots.synapses(lane)
            present[axon] = True
            assert row.max(initial=0) < slots.image.rows
        assert (slots.present == present).all()
        assert slots.most <= slots.group
        assert slots.words == max(1, slots.counts.sum()) + (slots.values - 1) * slots.input_words
        assert [len(slots.lane_words(lane)) for lane in range(slots.image.lanes)] == [slots.words] * slots.image.lanes


def test_a_word_holds_weights_and_members():
    network = random_network(3, (4, 4, 2), recurrent=(False,), density=0.0, weight_bits=4)
    weights = np.zeros((4, 4), dtype=np.int64)
    weights[0, 1], weights[3, 1], weights[2, 2] = -3, 5, 7
    core = packed(replace(network, layers=(replace(network.layers[0], weights=weights), network.layers[1])), 1)
    slots = core.slots[0]
    # All four share a slot, as no step takes longer: but for axon 1 every axon has at most one synapse.
    assert (slots.values, slots.term_bits) == (7, 7)
    assert (slots.group, slots.slot_bits, slots.width) in ((1, 7, 28), (2, 8, 16), (4, 9, 9))
    assert slots.counts[0] == slots.counts[3] == 0
    found = sorted(zip(*(values.tolist() for values in slots.synapses(0)), strict=True))
    order = core.layers[0].order.tolist()
    assert found == sorted([(1, order.index(0), -3), (1, order.index(3), 5), (2, order.index(2), 7)])


def test_words_of_products():
    network = random_network(6, (5, 6, 9, 3), recurrent=(True, False), value_bits=3, weight_bits=5)
    core = packed(network, 2)
    first, second, _ = core.slots
    assert (first.values, second.values, first.multiplies, core.multipliers) == (7, 1, False, 0)
    sign = 1 << first.term_bits - 1
    for lane in range(2):
        words = first.lane_words(lane)
        for axon in range(first.image.spec.axons):
            for value in range(1, 8 if axon < 5 else 2):
                for nth in range(int(first.counts[axon])):
                    word = words[first.start(axon, value) + nth]
                    at = first.starts[axon] + nth
                    for slot in range(first.slots):
                        found = word >> slot * first.slot_bits
                        term = ((found & 2 * sign - 1) ^ sign) - sign
                        member = found >> first.term_bits & (1 << first.member_bits) - 1
                        assert term == value * first.weights[at, lane, slot]
                        assert member == first.members[at, lane, slot]


@pytest.mark.parametrize(("inputs", "value_bits", "values"), [(20, 4, 15), (146, 5, 7), (147, 5, 1), (20, 9, 1)])
def test_products_are_stored_where_they_fit(inputs, value_bits, values):
    # 1,024 words at most, and an event of the largest value is read five times at most.
    network = random_network(7, (inputs, 4, 2), recurrent=(False,), density=1.0, value_bits=value_bits)
    ones = np.ones((4, inputs), dtype=np.int64)
    core = packed(replace(network, layers=(replace(network.layers[0], weights=ones), network.layers[1])), 4)
    slots = core.slots[0]
    assert (slots.values, slots.multiplies, core.multipliers) == (values, values == 1, 8 * (values == 1))
    assert slots.product_cycles == 3 * (values == 1)


def test_sparse_neurons_share_slots_and_dense_ones_do_not():
    network = random_network(5, (40, 32, 8), recurrent=(False,), density=1.0)
    dense = network.layers[0]
    assert grouped(dense, 4, 2)[0] == 1
    mask = np.zeros(dense.weights.shape, dtype=np.int64)
    mask[np.arange(40) % 32, np.arange(40)] = 1
    group, order = grouped(replace(dense, weights=mask), 4, 2)
    assert group == 8
    assert sorted(order.tolist()) == list(range(32))


def test_axons_that_hardly_fire_may_take_many_words():
    network = random_network(5, (40, 32, 8), recurrent=(False,), density=1.0)
    weights = np.zeros((32, 40), dtype=np.int64)
    weights[:, 0] = 1
    weights[0, 1:] = 1
    rates = np.full(40, RATE_UNIT // 8)
    layer = replace(network.layers[0], weights=weights, rates=rates)
    assert grouped(layer, 4, 2)[0] < 8
    rates = rates.copy()
    rates[0] = 0
    assert grouped(replace(layer, rates=rates), 4, 2)[0] == 8


def test_exchanges_bring_neurons_apart_that_have_axons_in_common():
    weights = np.zeros((16, 8), dtype=np.int64)
    weights[np.arange(16), np.arange(16) // 2 % 8] = 1  # as they come, two of every slot have the same axon
    network = random_network(5, (8, 16, 4), recurrent=(False,))
    assert grouped(replace(network.layers[0], weights=weights), 8, 2)[0] == 2


def test_reads_of_the_input():
    wide = replace(random_network(1, (40, 4, 2), recurrent=(False,)).layers[0], value_bits=16)
    assert slot_reads(wide, first=True) == 2
    assert slot_reads(replace(wide, inputs=1, weights=wide.weights[:, :1], rates=None), first=True) == 1
    many = np.zeros((4, 1 << 16), dtype=np.int64)
    assert slot_reads(replace(wide, inputs=1 << 16, weights=many, rates=None), first=True) == 1
    assert slot_reads(wide, first=False) == 2


def test_what_is_not_supported_is_refused_by_name():
    network = random_network(1)
    with pytest.raises(InputError, match=r"^encoding must be auto for layers that are slotted, not 'bitmap'$"):
        pack(network, 2, layers="slotted", encoding="bitmap")
    for name, value in (("onward", np.ones(40, dtype=np.int64)), ("current_decay", Decay(1, 1))):
        hidden = replace(network.layers[0], **{name: value[: network.layers[0].neurons] if name == "onward" else value})
        other = replace(network, layers=(hidden, *network.layers[1:]))
        with pytest.raises(InputError, match=rf"^layer 0 must have no {name} where layers are slotted$"):
            pack(other, 2, layers="slotted")
    several = random_network(1, neuron=IntegerLIF("soft", max_spikes=3))
    refusal = "layer 0 must send single spikes where layers are slotted, not several in a step"
    with pytest.raises(InputError, match=f"^{refusal}$"):
        pack(several, 2, layers="slotted")
    with pytest.raises(InputError, match=r"^encoding must be auto for layers that are slotted, not 'absolute'$"):
        capacity_for([network], 2, layers="slotted")
