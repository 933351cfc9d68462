# amaranth: UnusedElaboratable=no
import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from spikewright.contract.stream import StreamFormat
from spikewright_boards.link.framing import Deframer
from spikewright_boards.link.host import encode, encode_load
from spikewright_boards.link.loading import ImageFeeder
from spikewright_boards.link.protocol import frame

FORM = StreamFormat(axon_bits=3, value_bits=2, input_bytes=1, output_bytes=2, classes=4, loadable=True)
WIDE = StreamFormat(axon_bits=8, value_bits=5, input_bytes=2, output_bytes=3, classes=20, loadable=True)
BEGIN, END = (0b101000, 0b101001)


def feed(
    data: bytes, form: StreamFormat = FORM, *, gap: int = 8, busy: range = range(0), stall: float = 0.0
) -> dict[str, list[Any]]:
    """What a deframer and a feeder make of bytes, `busy` while those are sent.

    The core takes whatever it is offered, and judges an image four cycles after its end: those that are longer than
    three bytes are right.
    """
    m = Module()
    m.submodules.deframer = deframer = Deframer(form)
    m.submodules.feeder = feeder = ImageFeeder()
    wiring.connect(m, deframer.groups, feeder.groups)
    m.d.comb += [feeder.begin.eq(deframer.begin), feeder.end.eq(deframer.end)]
    rng = random.Random(len(data))
    seen: dict[str, list[Any]] = {"bytes": [], "cycles": [], "answers": [], "dropped": [], "errors": [], "beats": []}

    async def send(ctx: Any) -> None:
        for number, byte in enumerate(data):
            ctx.set(feeder.busy, number in busy)
            ctx.set(deframer.i.payload, byte)
            ctx.set(deframer.i.valid, 1)
            await ctx.tick()
            ctx.set(deframer.i.valid, 0)
            await ctx.tick().repeat(gap - 1)
        await ctx.tick().repeat(20)

    async def core(ctx: Any) -> None:
        taken, cycle, judge = 0, 0, None
        while True:
            ctx.set(feeder.o.ready, rng.random() >= stall)
            _, _, valid, ready, beat, answer, loaded, dropped, error, event = await ctx.tick().sample(
                feeder.o.valid,
                feeder.o.ready,
                feeder.o.payload,
                feeder.answers.valid,
                feeder.answers.payload,
                feeder.dropped,
                deframer.error,
                deframer.o.valid,
            )
            if valid and ready:
                seen["bytes"].append((beat.data, beat.last))
                seen["cycles"].append(cycle)
                taken += 1
                ctx.set(feeder.loaded, 0)
                ctx.set(feeder.refused, 0)
                judge = cycle + 4 if beat.last else None
            if cycle == judge:
                ctx.set(feeder.loaded, taken > 3)
                ctx.set(feeder.refused, taken <= 3)
                taken = 0
            for name, happened in (("answers", answer), ("dropped", dropped), ("errors", error), ("beats", event)):
                if happened:
                    seen[name].append(loaded if name == "answers" else cycle)
            cycle += 1

    async def host(ctx: Any) -> None:
        ctx.set(feeder.answers.ready, 1)

    sim = Simulator(m)
    sim.add_clock(1e-6)
    sim.add_testbench(send)
    sim.add_testbench(host, background=True)
    sim.add_testbench(core, background=True)
    sim.run()
    return seen


def packet(image: bytes) -> list[tuple[int, int]]:
    return [(byte, int(index == len(image) - 1)) for index, byte in enumerate(image)]


@pytest.mark.parametrize("form", [FORM, WIDE])
@pytest.mark.parametrize("length", [*range(1, 16), 100])
def test_an_image_of_any_length_arrives(form: StreamFormat, length: int) -> None:
    image = random.Random(length).randbytes(length)
    seen = feed(encode_load(image, form), form)
    assert seen["bytes"] == packet(image)
    assert (seen["answers"], seen["dropped"], seen["errors"], seen["beats"]) == ([int(length > 3)], [], [], [])


def test_bytes_leave_a_cycle_after_the_one_behind_them_is_known() -> None:
    seen = feed(encode_load(bytes(3), FORM), gap=10)
    # A byte begins the image; of the four groups, the second and all behind it complete a byte. The end takes a cycle
    # to decode.
    assert seen["cycles"] == [3 * 10 + 1, 4 * 10 + 1, 5 * 10 + 2]


def test_gaps_and_pauses_change_nothing() -> None:
    image = random.Random(1).randbytes(40)
    for gap, stall in ((31, 0.0), (12, 0.4)):
        seen = feed(encode_load(image, WIDE), WIDE, gap=gap, stall=stall)
        assert seen["bytes"] == packet(image)
        assert seen["answers"] == [1]


def test_images_and_events_in_turn() -> None:
    first, second = b"first image", b"second"
    sample = encode([[1, 0, 2], [0, 0, 0]], FORM)
    seen = feed(encode_load(first, FORM) + sample + encode_load(second, FORM) + sample)
    assert seen["bytes"] == packet(first) + packet(second)
    assert (seen["answers"], len(seen["beats"]), seen["errors"]) == ([1, 1], 8, [])


def test_an_image_while_a_sample_is_under_way_is_dropped() -> None:
    whole = encode_load(b"image", FORM)
    seen = feed(whole + whole, busy=range(3))
    assert seen["bytes"] == packet(b"image")
    assert (seen["answers"], len(seen["dropped"]), seen["errors"]) == ([0, 1], 1, [])
    # Busy later on does not matter.
    seen = feed(whole, busy=range(3, len(whole)))
    assert (seen["bytes"], seen["answers"], seen["dropped"]) == (packet(b"image"), [1], [])


def test_an_image_without_bytes_is_refused() -> None:
    seen = feed(encode_load(b"before", FORM) + frame(BEGIN, 6) + frame(END, 6))
    assert seen["bytes"] == [*packet(b"before"), (0, 1)]
    assert seen["answers"] == [1, 0]


@pytest.mark.parametrize("between", [frame(0b001, 6), frame(0b100001, 6), frame(BEGIN, 6)])
def test_another_frame_cuts_an_image_short(between: bytes) -> None:
    data = encode_load(b"12345", FORM)
    seen = feed(data[:4] + between + (data[1:] if between == frame(BEGIN, 6) else data))
    # Three groups are two bytes; the third is told apart from the end by the frame.
    assert seen["bytes"] == packet(b"12") + packet(b"12345")
    assert (seen["answers"], len(seen["errors"])) == ([0, 1], 1)
    assert len(seen["beats"]) == (between != frame(BEGIN, 6))


def test_what_no_image_begins_is_reported() -> None:
    data = encode_load(b"12345", FORM)
    groups = len(data) - 2
    seen = feed(data[1:])
    # Every group is an error; the end, of no image, asks which core this is.
    assert (seen["bytes"], seen["answers"], len(seen["errors"])) == ([], [], groups)


def test_what_is_no_end_ends_nothing() -> None:
    seen = feed(frame(END | 2, 6))
    assert (seen["bytes"], seen["answers"], len(seen["errors"])) == ([], [], 1)


def test_a_broken_end_is_an_end() -> None:
    data = encode_load(b"12345", WIDE)
    # A byte with a false top bit inside of an image begins a frame, which swallows the next group.
    broken = bytes([*data[:3], data[3] | 0x80, *data[4:]])
    seen = feed(broken, WIDE)
    assert seen["answers"][0] == 0
    assert seen["errors"]
    # The first half of the end, twice.
    seen = feed(data[:-2] + data[-2:-1] + data[-2:], WIDE)
    assert (seen["bytes"], seen["answers"], len(seen["errors"])) == (packet(b"12345"), [1], 1)
