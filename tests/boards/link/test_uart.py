# amaranth: UnusedElaboratable=no
from collections.abc import Iterable
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from spikewright_boards.link.uart import UartReceiver, UartTransmitter, baud_divisor

DIVISOR = 12
CLOCK = 1e-6


def line_bits(byte: int, stop: int = 1) -> list[int]:
    return [0, *((byte >> i) & 1 for i in range(8)), stop]


def receive(levels: Iterable[tuple[int, float]], divisor: int = DIVISOR) -> dict[str, list[Any]]:
    """Drive (level, bits) pairs, not aligned to the clock; what the receiver reported, with cycle numbers."""
    dut = UartReceiver(divisor)
    seen: dict[str, list[Any]] = {"bytes": [], "errors": [], "breaks": []}

    async def drive(ctx: Any) -> None:
        await ctx.delay(3.3 * CLOCK)
        for level, bits in levels:
            ctx.set(dut.rx, level)
            await ctx.delay(bits * divisor * CLOCK)
        ctx.set(dut.rx, 1)
        await ctx.delay(30 * divisor * CLOCK)

    async def watch(ctx: Any) -> None:
        cycle = 0
        async for _, reset, valid, payload, error, held in ctx.tick().sample(
            dut.o.valid, dut.o.payload, dut.framing_error, dut.line_break
        ):
            assert not reset
            if valid:
                seen["bytes"].append((cycle, payload))
            if error:
                seen["errors"].append(cycle)
            if held:
                seen["breaks"].append(cycle)
            cycle += 1

    sim = Simulator(dut)
    sim.add_clock(CLOCK)
    sim.add_testbench(drive)
    sim.add_testbench(watch, background=True)
    sim.run()
    return seen


def send(data: Iterable[int], rate: float = 1.0, pause: float = 0.0) -> list[tuple[int, float]]:
    levels = []
    for byte in data:
        levels += [(bit, 1 / rate) for bit in line_bits(byte)]
        if pause:
            levels.append((1, pause))
    return levels


@pytest.mark.parametrize("rate", [0.98, 1.0, 1.02])
@pytest.mark.parametrize("pause", [0.0, 0.7])
def test_receiver_takes_every_byte_at_a_mismatched_rate(rate: float, pause: float) -> None:
    data = [*range(0, 256, 5), 0x00, 0xFF, 0x55, 0xAA, 0x80, 0x01]
    seen = receive(send(data, rate, pause))
    assert [byte for _, byte in seen["bytes"]] == data
    assert seen["errors"] == seen["breaks"] == []


def test_receiver_of_the_smallest_divisor_takes_every_byte() -> None:
    data = [0x00, 0xFF, 0xA5, 0x5A]
    assert [byte for _, byte in receive(send(data, 1.02), divisor=8)["bytes"]] == data


def test_receiver_reports_a_byte_in_the_middle_of_its_stop_bit() -> None:
    ((cycle, _),) = receive(send([0x3C]))["bytes"]
    # Clock edge n is at n + 0.5; a level sampled there was set by the edge before.
    assert 2 <= (cycle - 0.5) - 3.3 - 9.5 * DIVISOR <= 3


def test_receiver_does_not_start_at_a_glitch() -> None:
    seen = receive([(0, 0.3), (1, 2.0), *send([0x81])])
    assert [byte for _, byte in seen["bytes"]] == [0x81]
    assert seen["errors"] == []


def test_receiver_drops_a_byte_without_stop_bit_and_takes_the_next() -> None:
    levels = [(bit, 1.0) for bit in line_bits(0x42, stop=0)]
    seen = receive([*levels, (1, 1.0), *send([0x17])])
    assert len(seen["errors"]) == 1
    assert [byte for _, byte in seen["bytes"]] == [0x17]
    assert seen["breaks"] == []


def test_receiver_sees_a_break_until_the_line_is_high() -> None:
    seen = receive([(0, 25.0), (1, 1.0), *send([0x17])])
    assert seen["errors"] == []
    # From the middle of the stop bit (9.5 bits) to the end of the break.
    assert len(seen["breaks"]) == pytest.approx(15.5 * DIVISOR, abs=2)
    assert [byte for _, byte in seen["bytes"]] == [0x17]


def test_receiver_takes_nothing_from_a_zero_byte_for_a_break() -> None:
    seen = receive(send([0x00, 0x00]))
    assert seen["breaks"] == []


def transmit(data: list[int], wait: int = 0) -> tuple[list[int], list[int]]:
    """Level of the line per cycle, and the cycles in which bytes were taken."""
    dut = UartTransmitter(DIVISOR)
    line: list[int] = []
    taken: list[int] = []

    async def drive(ctx: Any) -> None:
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            if wait:
                await ctx.tick().repeat(wait)
        await ctx.tick().repeat(12 * DIVISOR)

    async def watch(ctx: Any) -> None:
        async for _, _, tx, valid, ready in ctx.tick().sample(dut.tx, dut.i.valid, dut.i.ready):
            if valid and ready:
                taken.append(len(line))
            line.append(tx)

    sim = Simulator(dut)
    sim.add_clock(CLOCK)
    sim.add_testbench(drive)
    sim.add_testbench(watch, background=True)
    sim.run()
    return line, taken


def test_transmitter_sends_back_to_back_bytes_without_a_gap() -> None:
    data = [0x00, 0xFF, 0xA5]
    line, taken = transmit(data)
    assert taken == [0, 10 * DIVISOR, 20 * DIVISOR]
    expected = [level for byte in data for level in line_bits(byte) for _ in range(DIVISOR)]
    assert line[1 : 1 + len(expected)] == expected
    assert set(line[1 + len(expected) :]) == {1}


def test_transmitter_is_idle_high_between_bytes() -> None:
    line, taken = transmit([0x0F, 0xF0], wait=137)
    for begin, byte in zip(taken, [0x0F, 0xF0], strict=True):
        frame = line[begin + 1 : begin + 1 + 10 * DIVISOR]
        assert frame == [level for level in line_bits(byte) for _ in range(DIVISOR)]
    assert set(line[taken[0] + 1 + 10 * DIVISOR : taken[1] + 1]) == {1}


@pytest.mark.parametrize("divisors", [(12, 12), (80, 82), (80, 78)])
def test_receiver_understands_the_transmitter(divisors: tuple[int, int]) -> None:
    m = Module()
    m.submodules.sender = sender = UartTransmitter(divisors[0])
    m.submodules.receiver = receiver = UartReceiver(divisors[1])
    m.d.comb += receiver.rx.eq(sender.tx)
    data = [0x00, 0x80, 0x7F, 0xFE]
    got = []

    async def drive(ctx: Any) -> None:
        for byte in data:
            ctx.set(sender.i.payload, byte)
            ctx.set(sender.i.valid, 1)
            await ctx.tick().until(sender.i.ready)
        ctx.set(sender.i.valid, 0)
        await ctx.tick().repeat(12 * divisors[0])

    async def watch(ctx: Any) -> None:
        async for _, _, valid, payload in ctx.tick().sample(receiver.o.valid, receiver.o.payload):
            if valid:
                got.append(payload)

    sim = Simulator(m)
    sim.add_clock(CLOCK)
    sim.add_testbench(drive)
    sim.add_testbench(watch, background=True)
    sim.run()
    assert got == data


def test_baud_divisor() -> None:
    assert baud_divisor(80e6, 1_000_000) == 80
    assert baud_divisor(12e6, 1_000_000) == 12
    with pytest.raises(ValueError, match=r"^baud must be at most 1500000 at 1\.2e\+07 Hz, not 2000000$"):
        baud_divisor(12e6, 2_000_000)
    with pytest.raises(ValueError, match=r"^baud must divide 1\.2e\+07 Hz within 1 %, not 1300000 \(off by 2\.6 %\)$"):
        baud_divisor(12e6, 1_300_000)


@pytest.mark.parametrize("part", [UartReceiver, UartTransmitter])
def test_divisor_is_checked(part: Any) -> None:
    assert part(9).divisor == 9
    with pytest.raises(ValueError, match=r"^divisor must be at least 8, not 7$"):
        part(7)
    with pytest.raises(TypeError, match=r"^divisor must be an integer, not 8\.5$"):
        part(8.5)
