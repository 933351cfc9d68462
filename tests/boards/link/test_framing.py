# amaranth: UnusedElaboratable=no
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.contract.stream import StreamFormat
from spikewright_boards.link.framing import Deframer, ResultFramer
from spikewright_boards.link.host import Identity, LoadReply, ResultDecoder, encode, encode_load, encode_question
from spikewright_boards.link.protocol import OVERFLOW, UNLOADED, frame
from spikewright_sim.bench.stream import StreamRules

SHD = StreamFormat(axon_bits=8, value_bits=5, input_bytes=2, output_bytes=3, classes=3)
# A frame of one byte, and frames with unused bits on top.
FORMATS = [
    SHD,
    StreamFormat(axon_bits=1, value_bits=1, input_bytes=1, output_bytes=1, classes=2),
    StreamFormat(axon_bits=4, value_bits=2, input_bytes=1, output_bytes=2, classes=5),
    StreamFormat(axon_bits=16, value_bits=16, input_bytes=5, output_bytes=8, classes=1),
]


def deframe(data: bytes, form: StreamFormat, gap: int = 0) -> tuple[list[tuple[int, int]], int, list[int]]:
    """Beats (data, last), number of errors, and cycles from a byte to the beat it completes."""
    dut = Deframer(form)
    beats: list[tuple[int, int]] = []
    errors = 0
    latencies = []

    async def drive(ctx: Any) -> None:
        nonlocal errors
        since = 0

        async def step() -> None:
            nonlocal errors, since
            _, _, valid, payload, last, error = await ctx.tick().sample(
                dut.o.valid, dut.o.payload.data, dut.o.payload.last, dut.error
            )
            errors += error
            if valid:
                beats.append((payload, last))
                latencies.append(since)
            since += 1

        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await step()
            since = 1
            ctx.set(dut.i.valid, 0)
            for _ in range(gap):
                await step()
        for _ in range(3):
            await step()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.run()
    return beats, errors, latencies


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("gap", [0, 3])
def test_deframer_undoes_the_encoder(form: StreamFormat, gap: int) -> None:
    rng = np.random.default_rng(form.mark_bit)
    axons = min(40, 1 << form.axon_bits)
    counts = rng.integers(0, 1 << form.value_bits, (4, axons)) * (rng.random((4, axons)) < 0.5)
    counts[1] = 0
    counts[2, axons - 1] = (1 << form.value_bits) - 1
    expected = []
    for step, row in enumerate(counts):
        expected += [(int(axon) | int(row[axon]) << form.axon_bits, 0) for axon in np.flatnonzero(row)]
        expected.append((1 << form.mark_bit, int(step == 3)))
    beats, errors, latencies = deframe(encode(counts, form), form, gap)
    assert beats == expected
    assert errors == 0
    assert set(latencies) == {1}


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        (b"\x05", 1),  # Continues nothing.
        (frame(0x155, 14)[:1], 1),  # Cut short by the next frame.
        (frame(0x155, 14) + b"\x01\x01", 2),  # Two bytes too many.
    ],
)
def test_deframer_reports_and_recovers(data: bytes, errors: int) -> None:
    good = frame(0x0AB | 1 << 8, 14)
    beats, seen, _ = deframe(data + good, SHD)
    assert seen == errors
    assert beats[-1] == (0x0AB | 1 << 8, 0)
    assert len(beats) == (2 if len(data) == 4 else 1)


@pytest.mark.parametrize("loadable", [False, True])
def test_deframer_drops_marks_that_mean_nothing(loadable: bool) -> None:
    form = replace(SHD, loadable=loadable)
    # Axons and values of marks; of loadable cores alone, a value of 1 begins or ends an image.
    wrong = [2, 1 << 7, 1 << 9, 1 << 12 | 1, 1 << 8 | 2]
    data = b"".join(frame(bits | 1 << 13, 14) for bits in wrong)
    beats, errors, _ = deframe(data + frame(1 | 1 << 13, 14), form)
    assert beats == [(1 << 13, 1)]
    assert errors == len(wrong)
    beats, errors, _ = deframe(frame(1 << 8 | 1 << 13, 14) + frame(1 | 1 << 8 | 1 << 13, 14), form)
    assert (beats, errors) == ([], 0 if loadable else 1)


def test_deframer_drops_a_value_that_is_too_wide() -> None:
    form = FORMATS[3]
    beats, errors, _ = deframe(frame(1 << 33, 35) + frame(3, 35), form)
    assert beats == [(3, 0)]
    assert errors == 1


@pytest.mark.parametrize("form", [SHD, FORMATS[1]])
@pytest.mark.parametrize("gap", [0, 2])
def test_deframer_gives_the_groups_of_an_image(form: StreamFormat, gap: int) -> None:
    form = replace(form, loadable=True)
    dut = Deframer(form)
    image = random.Random(7).randbytes(20)
    sample = encode([[1, 0], [0, 1]], form)
    data = encode_load(image, form)
    seen: list[tuple[str, int]] = []
    ends: list[int] = []

    async def drive(ctx: Any) -> None:
        cycle = 0
        for byte in sample + data + data + sample:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            for _ in range(gap + 1):
                _, _, groups, group, begin, end, beat, error = await ctx.tick().sample(
                    dut.groups.valid, dut.groups.payload, dut.begin, dut.end, dut.o.valid, dut.error
                )
                ctx.set(dut.i.valid, 0)
                assert not error
                for name, happened in (("begin", begin), ("end", end), ("beat", beat), ("group", groups)):
                    if happened:
                        seen.append((name, group if name == "group" else 0))
                        if name == "end":
                            ends.append(cycle)
                cycle += 1

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.run()
    head = len(frame(0, form.mark_bit + 1))
    once = [("begin", 0), *(("group", byte) for byte in data[head:-head]), ("end", 0)]
    assert [item for item in seen if item[0] != "beat"] == 2 * once
    # The last one comes too late to be seen without a gap.
    assert seen.count(("beat", 0)) == (8 if gap else 7)
    # One cycle after the last byte.
    position = len(sample) + len(data) - 1
    assert ends == [position * (gap + 1) + 1, (position + len(data)) * (gap + 1) + 1]


def test_result_framer_puts_answers_to_images_between_results() -> None:
    form = replace(SHD, loadable=True)
    dut = ResultFramer(form)
    data = bytearray()
    watch = StreamRules("ResultFramer.o")

    async def send(ctx: Any) -> None:
        for number in range(3):
            for position in range(form.classes + 1):
                ctx.set(dut.i.payload, {"data": number, "last": position == form.classes})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(20)

    async def answer(ctx: Any) -> None:
        # Before a result, within one, and while none comes.
        for wait, loaded in ((1, 1), (70, 0), (30, 1)):
            await ctx.tick().repeat(wait)
            ctx.set(dut.loads.payload, loaded)
            ctx.set(dut.loads.valid, 1)
            await ctx.tick().until(dut.loads.ready)
            ctx.set(dut.loads.valid, 0)

    async def take(ctx: Any) -> None:
        rng = random.Random(2)
        ctx.set(dut.flags, OVERFLOW)
        while True:
            ctx.set(dut.o.ready, rng.random() < 0.5)
            _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            watch.cycle(bool(valid), bool(ready), payload)
            if valid and ready:
                data.append(payload)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(send)
    sim.add_testbench(answer)
    sim.add_testbench(take, background=True)
    sim.run()
    decoder = ResultDecoder(form)
    results = decoder.feed(bytes(data))
    assert [result.label for result in results] == [0, 1, 2]
    assert decoder.loads == [LoadReply(True, OVERFLOW), LoadReply(False, OVERFLOW), LoadReply(True, OVERFLOW)]
    assert decoder.dropped == 0


@pytest.mark.parametrize("loadable", [False, True])
@pytest.mark.parametrize("form", FORMATS[:2])
def test_a_question_is_seen_outside_of_images_alone(form: StreamFormat, loadable: bool) -> None:
    form = replace(form, loadable=loadable)
    dut = Deframer(form)
    question = encode_question(form)
    image = encode_load(b"image", form) if loadable else b""
    seen: list[int] = []

    async def drive(ctx: Any) -> None:
        for cycle, byte in enumerate(question + encode([[1, 1]], form) + question + image + b"\xff\x7f"):
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            _, _, asked = await ctx.tick().sample(dut.question)
            if asked:
                seen.append(cycle)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.run()
    sample = len(encode([[1, 1]], form))
    assert seen == [len(question), 2 * len(question) + sample]


@pytest.mark.parametrize("loaded", [0, 1, None])
def test_result_framer_answers_questions_between_results(loaded: int | None) -> None:
    form = replace(SHD, loadable=loaded is not None)
    dut = ResultFramer(form, fingerprint=0x89ABCDE)
    data = bytearray()

    async def send(ctx: Any) -> None:
        ctx.set(dut.flags, UNLOADED)
        if loaded is not None:
            ctx.set(dut.loaded, loaded)
        for position in range(form.classes + 1):
            ctx.set(dut.i.payload, {"data": 1, "last": position == form.classes})
            ctx.set(dut.i.valid, 1)
            if position == 1:
                ctx.set(dut.asked, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().until(dut.told)
        ctx.set(dut.asked, 0)
        await ctx.tick().repeat(9)

    async def take(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        while True:
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                data.append(payload)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(send)
    sim.add_testbench(take, background=True)
    sim.run()
    decoder = ResultDecoder(form)
    assert [result.label for result in decoder.feed(bytes(data))] == [1]
    assert len(data) == decoder.frame_length + 5
    assert decoder.identities == [Identity(0x89ABCDE, loaded != 0, UNLOADED)]
    assert (decoder.dropped, decoder.loads) == (0, [])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_result_framer_is_read_by_the_decoder(form: StreamFormat, stall: float) -> None:
    rng = random.Random(form.classes)
    width = 8 * form.output_bytes
    dut = ResultFramer(form)
    packets = [[rng.randrange(1 << width) for _ in range(form.classes)] for _ in range(3)]
    labels = [rng.randrange(form.classes) | (k == 1) << (width - 1) for k in range(3)]
    data = bytearray()
    cycles = 0

    async def drive(ctx: Any) -> None:
        ctx.set(dut.flags, 5)
        for number, (scores, label) in enumerate(zip(packets, labels, strict=True)):
            ctx.set(dut.beats, 9999 + number)
            for position, word in enumerate([*scores, label]):
                while rng.random() < stall:
                    await ctx.tick()
                ctx.set(dut.i.payload, {"data": word, "last": position == form.classes})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def take(ctx: Any) -> None:
        nonlocal cycles
        while True:
            ctx.set(dut.o.ready, rng.random() >= stall)
            _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            cycles += 1
            if valid and ready:
                data.append(payload)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.add_testbench(take, background=True)
    sim.run()
    decoder = ResultDecoder(form)
    results = decoder.feed(bytes(data))
    assert len(data) == 3 * decoder.frame_length
    if not stall:
        assert cycles <= len(data) + 1
    assert decoder.dropped == 0
    for number, (result, scores, label) in enumerate(zip(results, packets, labels, strict=True)):
        assert [score % (1 << width) for score in result.scores] == scores
        assert result.label == label % (1 << (width - 1))
        assert result.out_of_range == (number == 1)
        assert result.flags == 5
        assert result.beats == 9999 + number
