"""What a host says of boards that answer wrongly, late or not at all: ports without a board."""

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.contract.stream import StreamFormat
from spikewright_boards.link import port as of_port
from spikewright_boards.link.answers import compare_answers
from spikewright_boards.link.host import beats, encode, encode_load, encode_question
from spikewright_boards.link.port import PortGone, SerialPort
from spikewright_boards.link.protocol import (
    IDENTITY,
    LINE_ERROR,
    LOAD_REPLY,
    LOADED,
    OVERFLOW,
    START,
    fingerprint,
    groups,
)
from spikewright_boards.link.session import NoAnswer, Session

FORM = StreamFormat(axon_bits=3, value_bits=2, input_bytes=1, output_bytes=2, classes=2, loadable=True)
QUESTION = encode_question(FORM)
COUNTS = np.array([[1, 0, 2], [0, 3, 0]])
WHO = 0x1234567


def sevens(value: int, bits: int) -> bytes:
    return bytes(value >> 7 * k & 0x7F for k in range(groups(bits)))


def identity(core: int = WHO, flags: int = 0) -> bytes:
    return bytes([START | LOAD_REPLY | IDENTITY | LOADED | flags]) + sevens(core, 28)


def result(scores: list[int], label: int, *, flags: int = 0, of: Any = COUNTS, lost: int = 0) -> bytes:
    head = bytes([START | flags]) + sevens(beats(of) - lost, 14)
    return head + b"".join(sevens(word & 0xFFFF, 16) for word in [*scores, label])


class FakePort:
    """Answers by a function of what it gets; `breaks` counts."""

    name, baud = "/dev/fake", 1_000_000

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.breaks = 0
        self.waiting = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.waiting += self.answer(data)

    def read(self, seconds: float) -> bytes:
        data, self.waiting = self.waiting, b""
        return data

    def send_break(self) -> None:
        self.breaks += 1
        self.waiting = b""

    def overdue(self, seconds: float, patience: float) -> bool:
        return True

    def latency(self, measured: float) -> float:
        return 25e-6

    def close(self) -> None:
        self.closed = True


def test_a_board_says_which_core_it_has() -> None:
    with Session(port := FakePort(lambda data: identity(flags=OVERFLOW)), FORM) as session:
        found = session.begin(WHO)
    assert (found.fingerprint, found.loaded, found.flags) == (WHO, True, OVERFLOW)
    assert (port.breaks, port.closed) == (1, True)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "must answer within 2 s, not be silent: is it programmed, is this its port, and its rate?"),
        (
            b"\x00\xff\x13",
            "must answer at 1000000 baud, not with 9 bytes that mean nothing: is its rate another one, or is it "
            "another device?",
        ),
    ],
)
def test_boards_that_do_not_say_it(answer: bytes, message: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        Session(port := FakePort(lambda data: answer), FORM).begin()
    assert str(caught.value) == f"the board at /dev/fake {message}"
    assert port.breaks == 3


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    answers = iter([b"", identity()])
    assert Session(FakePort(lambda data: next(answers)), FORM).begin(WHO).loaded


def test_an_image_that_is_refused() -> None:
    port = FakePort(lambda data: bytes([START | LOAD_REPLY | OVERFLOW]))
    with pytest.raises(InputError) as caught:
        Session(port, FORM).load(b"image")
    assert str(caught.value) == (
        "the board at /dev/fake must take the load image, not refuse it in 3 tries (the board's queue was full)"
    )
    with pytest.raises(NoAnswer, match="^the board at /dev/fake must answer to a load image, not be silent$"):
        Session(FakePort(lambda data: b""), FORM).load(b"image")


def test_an_image_that_was_damaged_on_the_way_is_sent_again() -> None:
    said = iter([0, LOADED])
    sent: list[bytes] = []
    port = FakePort(lambda data: (sent.append(data), bytes([START | LOAD_REPLY | next(said)]))[1])
    Session(port, FORM).load(b"image")
    assert sent == [encode_load(b"image", FORM)] * 2
    assert port.breaks == 1


def test_a_sample_that_does_not_get_through() -> None:
    port = FakePort(lambda data: result([1, 2], 1, flags=OVERFLOW, lost=2))
    with pytest.raises(NoAnswer) as caught:
        Session(port, FORM).ask(COUNTS)
    assert str(caught.value) == (
        "a sample must reach the board at /dev/fake whole, not with 3 of its 5 beats (the board's queue was full) "
        "after 3 tries"
    )
    with pytest.raises(NoAnswer, match="not with silence after 3 tries$"):
        Session(FakePort(lambda data: b""), FORM).ask(COUNTS)


def test_flags_that_no_break_clears_are_not_of_this_sample() -> None:
    flags = [OVERFLOW]
    port = FakePort(lambda data: identity(flags=OVERFLOW) if data == QUESTION else result([1, 2], 1, flags=flags[-1]))
    session = Session(port, FORM)
    session.begin(WHO)
    assert session.ask(COUNTS).result.scores == (1, 2)
    flags.append(OVERFLOW | LINE_ERROR)
    with pytest.raises(
        NoAnswer, match=r"not with 5 of its 5 beats \(a byte came without its stop bit\) after 3 tries$"
    ):
        session.ask(COUNTS)


def test_answers_are_compared_with_the_model() -> None:
    """Of three samples, the second has a wrong score, the third comes at the second try."""
    reloads = []
    counts = np.stack([COUNTS, COUNTS + [[1, 0, 0], [0, 0, 0]], COUNTS + [[0, 0, 1], [0, 0, 0]]])
    good = [result([k, -k], 0, of=sample) for k, sample in enumerate(counts)]
    bad = result([1, -7], 1, of=counts[1])
    answers = {
        encode(counts[0], FORM): [good[0]],
        encode(counts[1], FORM): [bad],
        encode(counts[2], FORM): [b"", good[2]],
    }
    report = compare_answers(
        Session(FakePort(lambda data: answers[data].pop(0)), FORM),
        counts,
        np.array([0, 1, 1]),
        np.array([[0, 0], [1, -1], [2, -2]]),
        np.array([0, 0, 0]),
        reload=lambda: reloads.append(1),
    )
    assert report == {
        "samples": 3,
        "mismatches": 2,
        "details": ["sample 1, score of class 1: expected -1, got -7", "sample 1, class: expected 0, got 1"],
        "accuracy": 2 / 3,
        "model_accuracy": 1 / 3,
        "latency_us": 25.0,
        "slowest_us": 25.0,
        "repeated": 1,
    }
    assert len(reloads) == 1


def test_fingerprints_are_of_names_and_contents(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    first = fingerprint(files)
    assert 0 <= first < 1 << 28
    assert fingerprint(files[::-1]) == first
    files[0].write_text("b")
    assert fingerprint(files) != first


class Trouble(OSError):
    """As pyserial raises it."""


def open_failing(monkeypatch: pytest.MonkeyPatch, number: int, text: str = "") -> str:
    def fail(*_: object, **__: object) -> None:
        raise Trouble(number, text) if number else Trouble(text)

    monkeypatch.setattr(of_port, "_pyserial", lambda: SimpleNamespace(Serial=fail, SerialException=Trouble))
    monkeypatch.setattr(of_port, "found_ports", lambda: ["/dev/ttyUSB0 (FT232)"])
    with pytest.raises(InputError) as caught:
        SerialPort("/dev/ttyUSB9", 1_000_000)
    return str(caught.value)


def test_ports_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_port, "_group", lambda name: "it is for the group dialout: ...")
    assert open_failing(monkeypatch, errno.ENOENT) == (
        "port must be a serial line of this machine, not /dev/ttyUSB9; found: /dev/ttyUSB0 (FT232)"
    )
    assert open_failing(monkeypatch, errno.EACCES) == (
        "port /dev/ttyUSB9 must be yours to use, not refused: it is for the group dialout: ..."
    )
    for number, text in ((errno.EBUSY, ""), (0, "Could not exclusively lock port")):
        assert open_failing(monkeypatch, number, text) == (
            "port /dev/ttyUSB9 must be free, not in use by another program"
        )
    assert open_failing(monkeypatch, 0, "not a tty") == "port must be a serial line, not /dev/ttyUSB9: not a tty"


def test_the_group_of_a_port_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "eve")
    file = tmp_path / "port"
    file.touch()
    assert file.group() in of_port._group(str(file))
    assert "-aG" in of_port._group(str(file))
    assert "eve" in of_port._group(str(file))
    assert of_port._group(str(tmp_path / "none")) == "ask the administrator of this machine for access"


def test_a_machine_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(InputError, match=r"^pyserial must be installed to talk to a board, .*: pip install pyserial$"):
        SerialPort("/dev/ttyUSB0", 1_000_000)


def test_a_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def __init__(self, *_: object, **__: object) -> None: ...

        def write(self, data: bytes) -> None:
            raise Trouble("write failed")

    monkeypatch.setattr(of_port, "_pyserial", lambda: SimpleNamespace(Serial=Gone, SerialException=Trouble))
    with pytest.raises(PortGone) as caught:
        SerialPort("/dev/ttyUSB0", 1_000_000).write(b"x")
    assert str(caught.value) == "the line /dev/ttyUSB0 must stay connected, not go away: write failed"
