from typing import Any

import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.contract.stream import StreamFormat
from spikewright_boards.link.host import LoadReply, ResultDecoder, beats, encode, encode_load
from spikewright_boards.link.protocol import LINE_ERROR, OVERFLOW, UNLOADED

SHD: dict[str, Any] = {"axon_bits": 8, "value_bits": 5, "input_bytes": 2, "output_bytes": 3, "classes": 3}


def result_bytes(scores: list[int], label: int, *, flags: int = 0, count: int = 0, error: int = 0) -> bytes:
    words = [score & 0xFFFFFF for score in scores] + [label | error << 23]
    data = [0x80 | flags, count & 0x7F, count >> 7]
    return bytes(data + [(word >> shift) & 0x7F for word in words for shift in (0, 7, 14, 21)])


def test_encode_makes_a_frame_per_event_and_step() -> None:
    counts = np.zeros((2, 140), dtype=np.uint8)
    counts[0, 3] = 1
    counts[0, 139] = 31
    # 14 bits: axon, value at bit 8, mark at bit 13; low seven bits first.
    event, high = 3 | 1 << 8, 139 | 31 << 8
    mark, last = 1 << 13, 1 | 1 << 13
    words = [event, high, mark, last]
    expected = bytes(byte for word in words for byte in (0x80 | word & 0x7F, word >> 7))
    assert encode(counts, StreamFormat(**SHD)) == expected
    assert beats(counts) == 4


def test_beats_wrap_as_the_board_counts_them() -> None:
    assert beats(np.ones((200, 100), dtype=np.uint8)) == 20200 - (1 << 14)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros((0, 4), dtype=int), "counts must be integers (T, axons) of at least 1 step, not int64 (0, 4)"),
        (np.zeros((2, 4)), "counts must be integers (T, axons) of at least 1 step, not float64 (2, 4)"),
        (np.zeros((1, 257), dtype=int), "axons must be at most 256, not 257"),
        (np.full((1, 4), 32), "counts must be 0 .. 31, not 32 .. 32"),
        (np.full((1, 4), -1), "counts must be 0 .. 31, not -1 .. -1"),
    ],
)
def test_encode_rejects_what_does_not_fit(counts: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        encode(counts, StreamFormat(**SHD))
    assert str(caught.value) == message


def test_encode_load_puts_seven_bits_in_a_byte_between_two_frames() -> None:
    # A mark with a value of 1; the end has axon 1.
    begin, end = b"\x80\x42", b"\x81\x42"
    form = StreamFormat(**SHD, loadable=True)
    for image, body in ((b"\x00", b"\x00\x00"), (b"\xff", b"\x7f\x01"), (b"\x81\xff", b"\x01\x7f\x03")):
        assert encode_load(image, form) == begin + body + end
    for length in (1, 6, 7, 8, 100):
        image = bytes(range(1, length + 1))
        body = encode_load(image, form)[2:-2]
        assert len(body) == -(-8 * length // 7)
        assert max(body) < 0x80
        assert sum(byte << 7 * k for k, byte in enumerate(body)) == int.from_bytes(image, "little")


def test_encode_load_rejects_what_no_core_takes() -> None:
    for loadable, image, message in (
        (False, b"1", "a core must be made by `generate --weights loadable` to take a load image"),
        (True, b"", "a load image must have at least 1 byte, not 0"),
    ):
        with pytest.raises(InputError) as caught:
            encode_load(image, StreamFormat(**SHD, loadable=loadable))
        assert str(caught.value) == message


def test_decoder_tells_answers_to_images_from_results() -> None:
    decoder = ResultDecoder(StreamFormat(**SHD, loadable=True))
    good = result_bytes([1, 2, 3], 2, flags=UNLOADED)
    results = decoder.feed(b"\xe0" + good + b"\xc0" + good[:4] + b"\xea" + good)
    assert [(result.label, result.flags) for result in results] == [(2, UNLOADED)] * 2
    assert decoder.loads == [LoadReply(True, 0), LoadReply(False, 0), LoadReply(True, LINE_ERROR | UNLOADED)]
    assert [reply.ok for reply in decoder.loads] == [True, False, False]
    assert decoder.dropped == 4


def test_decoder_reads_signed_scores_in_any_pieces() -> None:
    decoder = ResultDecoder(StreamFormat(**SHD))
    data = result_bytes([-1, 1 << 22, -(1 << 23)], 2, count=300) * 2
    assert decoder.frame_length == 19
    results = [result for byte in data for result in decoder.feed(bytes([byte]))]
    assert len(results) == 2
    for result in results:
        assert result.scores == (-1, 1 << 22, -(1 << 23))
        assert result.label == 2
        assert result.beats == 300
        assert result.ok


def test_decoder_tells_errors_of_line_and_core_apart() -> None:
    decoder = ResultDecoder(StreamFormat(**SHD))
    (lossy, refused) = decoder.feed(result_bytes([0, 0, 0], 0, flags=OVERFLOW) + result_bytes([0, 0, 0], 1, error=1))
    assert (lossy.flags, lossy.out_of_range, lossy.ok) == (OVERFLOW, False, False)
    assert (refused.flags, refused.out_of_range, refused.ok) == (0, True, False)
    assert refused.label == 1


def test_decoder_recovers_after_lost_bytes() -> None:
    decoder = ResultDecoder(StreamFormat(**SHD))
    good = result_bytes([1, 2, 3], 2)
    assert [r.label for r in decoder.feed(good[5:] + good[:7] + good)] == [2]
    assert decoder.dropped == 14 + 7


def test_a_sample_in_another_order_is_an_error_that_shows_both_shapes() -> None:
    form = StreamFormat(**SHD, shape=(100, 140))
    assert encode(np.zeros((100, 140), dtype=np.uint8), form)
    for shape in ((140, 100), (99, 140), (100, 20)):
        with pytest.raises(InputError) as error:
            encode(np.zeros(shape, dtype=np.uint8), form)
        assert str(error.value) == f"counts must be (100 steps, 140 axons), not {shape}"
