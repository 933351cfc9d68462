import random

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from random_networks import random_network
from spikewright.contract.encoding import encoding_names
from spikewright.contract.image import LayerImage
from spikewright.layout.pack import pack
from spikewright_hw.walk import Walk, make_walk


def image(encoding: str, neurons: int, density: float = 0.5) -> LayerImage:
    """A layer of nine axons in one lane, each with a synapse."""
    return pack(random_network(3, (9, neurons, 3), recurrent=(False,), density=density), 1, encoding=encoding).layers[0]


def walk(layer: LayerImage, axons: list[int | None], wait: list[int]) -> list[tuple[int, int] | None]:
    """Walk the runs of `axons`, None being a mark, `wait[k]` cycles after the last address of the one before.

    Returns what was read by cycle from the first load on: address and row, or None.
    """
    dut = make_walk(layer)
    found: list[tuple[int, int] | None] = []

    async def drive(ctx):
        left = list(zip(axons, wait, strict=True))
        addresses: list[int | None] = [None, None]  # of the last two cycles
        while len(found) < 2000 and (left or any(address is not None for address in addresses)):
            idle = bool(ctx.get(dut.last))
            load = idle and bool(left) and left[0][1] == 0
            if idle and left and not load:
                left[0] = (left[0][0], left[0][1] - 1)
            ctx.set(dut.load, load)
            axon = left.pop(0)[0] if load else None
            ctx.set(dut.mark, load and axon is None)
            ctx.set(dut.start, 0 if axon is None else int(layer.starts[axon, 0]))
            # The error of a mark is in the place of the synapses.
            ctx.set(dut.synapses, 1 if axon is None else layer.extent(axon, 0))
            address = addresses.pop(0)
            if address is not None:
                ctx.set(dut.index, int(layer.indices[0][address]))
            found.append(None if address is None else (address, ctx.get(dut.row)))
            addresses.append(ctx.get(dut.address) if ctx.get(dut.busy) else None)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def expected(layer: LayerImage, axon: int) -> list[tuple[int, int]]:
    rows = np.flatnonzero(layer.spec.weights[layer.order, axon]).tolist()
    return [(int(layer.starts[axon, 0]) + k, row) for k, row in enumerate(rows)]


@pytest.mark.parametrize("neurons", [1, 2, 5, 16, 33, 64])
@pytest.mark.parametrize("encoding", encoding_names())
def test_rows_come_one_a_cycle_without_a_gap_two_cycles_after_the_address(encoding: str, neurons: int) -> None:
    layer = image(encoding, neurons)
    axons = [axon for axon in range(9) if layer.lengths[axon, 0]]
    found = walk(layer, [*axons, *axons[::-1]], [0] * 2 * len(axons))
    # An address is out in the cycle after its load.
    assert found[:3] == [None] * 3
    synapses = [synapse for axon in [*axons, *axons[::-1]] for synapse in expected(layer, axon)]
    assert found[3:] == synapses


@pytest.mark.parametrize("encoding", encoding_names())
def test_marks_and_pauses(encoding: str) -> None:
    rng = random.Random(1)
    layer = image(encoding, 12)
    axons = [rng.choice([None, *range(9)]) for _ in range(25)]
    wait = [rng.choice([0, 0, 1, 2, 5]) for _ in axons]
    cycles: dict[int, tuple[int, int]] = {}
    load = 0
    for axon, before in zip(axons, wait, strict=True):
        load += before
        synapses = [] if axon is None else expected(layer, axon)
        # Addresses are out from the cycle after the load on, the rows two cycles later.
        cycles |= {load + 3 + k: synapse for k, synapse in enumerate(synapses)}
        load += max(1, len(synapses))
    assert len(cycles) > 60
    found = walk(layer, axons, wait)
    assert {cycle: synapse for cycle, synapse in enumerate(found) if synapse} == cycles


@pytest.mark.parametrize("encoding", encoding_names())
def test_there_is_a_walk_for_every_encoding(encoding: str) -> None:
    dut = make_walk(image(encoding, 8))
    assert isinstance(dut, Walk)
    Fragment.get(dut, None)  # Amaranth warns of what is never used
    # Two neurons are the first and the last of an axon; seven is the most that one has.
    bits = {"absolute": (3, 3), "relative": (3, 3), "bitmap": (0, 8)}[encoding]
    assert (len(dut.index), len(dut.synapses)) == bits
