from spikewright_boards.link.protocol import frame, groups


def test_frame_marks_its_first_byte_alone() -> None:
    assert frame(0x3FFF, 14) == b"\xff\x7f"
    assert frame(0, 15) == b"\x80\x00\x00"
    assert [groups(bits) for bits in (1, 7, 8, 14, 15)] == [1, 1, 2, 2, 3]
