"""Estimates against what was synthesized, and memories against those that the generator writes."""

import json
import re
from pathlib import Path

import pytest

from random_networks import random_network
from spikewright.build.costs import memory_bits
from spikewright.build.generate import build
from spikewright.contract.decay import Decay
from spikewright.contract.names import LAYERS
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.integer.file import save_model
from spikewright.integer.rounding import quantize
from spikewright.layout.pack import pack
from spikewright.learn.checkpoint import load_checkpoint
from spikewright.predict.resources import estimate, memories
from spikewright.support.shipped import asset
from spikewright_boards.catalog import find, names

SYNTHESIZED = json.loads(Path(__file__).with_name("synthesized.json").read_text())
TOLERANCE = 0.2


def name_of(case):
    lanes = f"{case['lanes']}-{case.get('layers', 'parallel')}-lanes"
    return f"{case['checkpoint']}-{case['weight_bits']}-bits-{lanes}-{case['board']}"


def core_of(network, case):
    encoding = case.get("encoding", "absolute")
    return pack(network, case["lanes"], layers=case.get("layers", "parallel"), encoding=encoding)


@pytest.mark.parametrize("case", SYNTHESIZED, ids=name_of)
def test_estimates_are_close_to_what_was_synthesized(case):
    network = quantize(load_checkpoint(asset(f"{case['checkpoint']}.safetensors")), weight_bits=case["weight_bits"])
    found = estimate(core_of(network, case), find(case["board"]))
    for name in ("luts", "ffs", "brams"):
        assert getattr(found, name) == pytest.approx(case[name], rel=TOLERANCE), name
    assert found.dsps == case["dsps"]


def test_there_is_something_to_compare_with():
    assert {case["board"] for case in SYNTHESIZED} <= set(names())
    assert len(SYNTHESIZED) >= 1


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize(("lanes", "recurrent"), [(1, (False, True)), (4, (True,)), (8, (False,))])
def test_the_memories_are_those_of_the_generator(tmp_path, lanes, recurrent, layers):
    more = {"current_decays": (None, Decay(3, 2)), "neuron": IntegerLIF("soft", max_spikes=5 if all(recurrent) else 1)}
    network = random_network(3, (30, 20, 17, 5), recurrent=recurrent, **(more if layers != LAYERS[2] else {}))
    save_model(tmp_path / "model", network, {})
    core = pack(network, lanes, layers=layers)
    manifest = build(tmp_path / "model", tmp_path / "build", lanes, layers=layers)
    bits = {}
    for memory in memories(core):
        name = re.sub(r"(?<=synapses)\d+$", "", memory.name)
        bits[name] = bits.get(name, 0) + memory.words * memory.width * memory.count
    written = memory_bits(core, manifest["images"])
    assert written
    assert {name: bits[name] for name in written} == written


def test_more_lanes_take_more_logic():
    network = random_network(1, (40, 64, 10))
    luts = [estimate(pack(network, lanes, encoding="absolute"), find("ulx3s-85f")).luts for lanes in (1, 2, 4, 8, 16)]
    assert luts == sorted(luts)
    assert luts[-1] > 4 * luts[0]


@pytest.mark.parametrize("layers", ["parallel", "shared"])
def test_a_synaptic_current_takes_logic_and_a_memory(layers):
    plain, current = (
        pack(random_network(1, (40, 64, 10), current_decays=(decay,)), 4, encoding="absolute", layers=layers)
        for decay in (None, Decay(3, 2))
    )
    costs = [estimate(core, find("ulx3s-85f")) for core in (plain, current)]
    assert costs[0].luts < costs[1].luts
    assert costs[0].ffs < costs[1].ffs
    prefix = {"parallel": "layer0", "shared": "engine"}[layers]
    names = [[memory.name for memory in memories(core)] for core in (plain, current)]
    assert f"{prefix}_currents" in names[1]
    assert f"{prefix}_currents" not in names[0]
    assert len(names[1]) == len(names[0]) + 1
