"""Estimates against what was synthesized, and memories against those that the generator writes."""

import json
import re
from pathlib import Path

import pytest

from random_networks import random_network
from spikewright.build import build, memory_bits
from spikewright.checkpoint import load_checkpoint
from spikewright.commands.samples import asset
from spikewright.model import save_model
from spikewright.pack import pack
from spikewright.quantize import quantize
from spikewright.resources import DEVICES, FAMILIES, Memory, Resources, estimate, memories, place

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
    found = estimate(core_of(network, case), case["board"])
    for name in ("luts", "ffs", "brams"):
        assert getattr(found, name) == pytest.approx(case[name], rel=TOLERANCE), name
    assert found.dsps == case["dsps"]


def test_there_is_something_to_compare_with():
    assert {case["board"] for case in SYNTHESIZED} <= set(DEVICES)
    assert len(SYNTHESIZED) >= 1


@pytest.mark.parametrize("layers", ["parallel", "shared"])
@pytest.mark.parametrize(("lanes", "recurrent"), [(1, (False, True)), (4, (True,)), (8, (False,))])
def test_the_memories_are_those_of_the_generator(tmp_path, lanes, recurrent, layers):
    network = random_network(3, (30, 20, 17, 5), recurrent=recurrent)
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


@pytest.mark.parametrize(
    ("board", "memory", "expected"),
    [
        # What yosys did with them in the designs of `synthesized.json`, and with deep memories of earlier ones.
        ("ulx3s-85f", Memory("synapses", 760, 14, False), Resources(0, 0, 1, 0)),
        ("ulx3s-85f", Memory("synapses", 1622, 13, False), Resources(0, 0, 2, 0)),
        ("ulx3s-85f", Memory("synapses", 4466, 13, False), Resources(0, 0, 7, 0)),
        ("ulx3s-85f", Memory("rows", 140, 128, False), Resources(0, 0, 4, 0)),
        ("ulx3s-85f", Memory("rows", 512, 144, False), Resources(0, 0, 4, 0)),
        ("ulx3s-85f", Memory("ring", 272, 32, True), Resources(0, 0, 1, 0)),
        ("ulx3s-85f", Memory("bridge", 1024, 17, True), Resources(0, 0, 1, 0)),
        ("icebreaker", Memory("synapses", 760, 14, False), Resources(28, 0, 3, 0)),
        ("icebreaker", Memory("membranes", 42, 19, True), Resources(0, 0, 2, 0)),
        ("icebreaker", Memory("bridge", 256, 17, True), Resources(0, 0, 2, 0)),
    ],
)
def test_block_rams_follow_from_the_geometry(board, memory, expected):
    assert place(memory, FAMILIES[DEVICES[board].family]) == expected


@pytest.mark.parametrize(
    ("memory", "luts"),
    [
        (Memory("queues", 16, 20, True), 6 * 5),
        (Memory("membranes", 20, 13, True), 6 * 2 * 4 + 13 // 2),
        (Memory("delayed", 43, 8, True), 6 * 3 * 2 + 8),
    ],
)
def test_small_memories_are_distributed_where_luts_can_be_memory(memory, luts):
    found = place(memory, FAMILIES["ecp5"])
    assert (found.luts, found.ffs, found.brams) == (luts, memory.width, 0)
    assert place(memory, FAMILIES["ice40"]).brams > 0


def test_tiny_memories_are_registers():
    for family in FAMILIES.values():
        assert place(Memory("spikes", 32, 1, True), family) == Resources(16, 33, 0, 0)


def test_small_tables_are_luts():
    assert place(Memory("neurons", 42, 26, False), FAMILIES["ecp5"]).brams == 0
    assert place(Memory("neurons", 42, 26, False), FAMILIES["ice40"]).brams == 0
    assert place(Memory("rows", 84, 15, False), FAMILIES["ecp5"]).brams == 0
    assert place(Memory("rows", 84, 15, False), FAMILIES["ice40"]).brams == 1


def test_the_devices_are_those_of_the_boards():
    boards = pytest.importorskip("spikewright_boards.top").BOARDS
    assert {name: (board.family, board.clock_mhz) for name, board in boards.items()} == {
        name: (device.family, device.clock_mhz) for name, device in DEVICES.items()
    }


@pytest.mark.parametrize("name", ["luts", "ffs", "brams", "dsps"])
def test_every_resource_must_fit(name):
    device = DEVICES["icebreaker"]
    full = {key: getattr(device, key) for key in ("luts", "ffs", "brams", "dsps")}
    assert Resources(**full).fit(device)
    assert not Resources(**{**full, name: full[name] + 1}).fit(device)


def test_more_lanes_take_more_logic():
    network = random_network(1, (40, 64, 10))
    luts = [estimate(pack(network, lanes, encoding="absolute"), "ulx3s-85f").luts for lanes in (1, 2, 4, 8, 16)]
    assert luts == sorted(luts)
    assert luts[-1] > 4 * luts[0]
