import random
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Signal
from component_bench import Seen, play

from spikewright_hw.loader import MAGIC, Loader, SampleGate

FINGERPRINT = bytes(range(101, 109))
HEADER = MAGIC + FINGERPRINT


def target(name: str, width: int, words: list[int], depth: int) -> Any:
    """The load port of a memory, and nothing behind it."""
    return SimpleNamespace(
        name=name,
        width=width,
        words=words,
        depth=depth,
        load_en=Signal(),
        load_addr=Signal(range(depth)),
        load_data=Signal(width),
    )


def targets() -> list[Any]:
    return [
        target("wide", 75, [3 << 72 | 5, 0, (1 << 75) - 1], 4),
        target("narrow", 3, [7, 1, 2, 4, 6], 6),
        target("empty", 9, [], 3),
        target("bytes", 16, [0xA1B2, 0xC3D4], 2),
    ]


def beats(image: bytes, end: int = 0) -> list[tuple[int, int]]:
    """`last` at the end, or so many bytes behind it."""
    return [(value, int(k == len(image) - 1 + end)) for k, value in enumerate(image + bytes(max(end, 0)))]


class Writes:
    """Collects (cycle, target, address, word)."""

    def __init__(self, loader: Loader, idle: Callable[[int], bool] = lambda cycle: True) -> None:
        self._loader = loader
        self._idle = idle
        self.all: list[tuple[int, int, int, int]] = []

    def each(self, get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(self._loader.idle, self._idle(cycle))
        for index, port in enumerate(self._loader.targets):
            if get(port.load_en):
                self.all.append((cycle, index, get(port.load_addr), get(port.load_data)))


def run(
    loader: Loader,
    sent: list[tuple[int, int]],
    *,
    cycles: int | None = None,
    writes: Writes | None = None,
    **options: Any,
) -> tuple[Seen, Writes]:
    writes = writes or Writes(loader)
    watch = {name: getattr(loader, name) for name in ("loaded", "error", "waiting")}
    return play(loader, cycles or len(sent) + 30, send={"i": sent}, watch=watch, each=writes.each, **options), writes


def test_a_byte_a_cycle_and_loaded_two_cycles_later() -> None:
    loader = Loader(targets(), FINGERPRINT)
    image = loader.image()
    seen, writes = run(loader, beats(image))
    taken = seen.cycles("i")
    assert taken == list(range(1, 1 + len(image)))
    assert seen.watched["waiting"][:3] == [0, 1, 0]
    assert seen.watched["loaded"].index(1) == taken[-1] + 2
    assert all(seen.watched["loaded"][taken[-1] + 2 :])
    assert not any(seen.watched["error"])
    expected = [(k, address, word) for k, port in enumerate(loader.targets) for address, word in enumerate(port.words)]
    assert [entry[1:] for entry in writes.all] == expected
    # The word is offered to its memory in the cycle after its last byte.
    first = len(HEADER) + 8 + 10
    assert [cycle for cycle, *_ in writes.all[:3]] == [taken[first - 1] + 1 + 10 * k for k in range(3)]


def test_the_image_is_what_its_description_says() -> None:
    loader = Loader(targets(), FINGERPRINT)
    body = HEADER + b"\0\0\x0a\0\3\0\0\0" + b"".join(word.to_bytes(10, "little") for word in loader.targets[0].words)
    body += b"\1\0\1\0\5\0\0\0\7\1\2\4\6" + b"\3\0\2\0\2\0\0\0\xb2\xa1\xd4\xc3" + bytes(8)
    assert loader.image() == body + zlib.crc32(body).to_bytes(4, "little")


def test_pauses_change_nothing() -> None:
    loader = Loader(targets(), FINGERPRINT)
    rng = random.Random(3)
    image = loader.image()
    seen, writes = run(loader, beats(image), cycles=8 * len(image), pause=lambda: rng.random() < 0.7)
    assert seen.watched["loaded"].index(1) == seen.cycles("i")[-1] + 2
    assert [entry[3] for entry in writes.all] == [word for port in loader.targets for word in port.words]


def test_nothing_is_taken_unless_idle() -> None:
    loader = Loader(targets(), FINGERPRINT)
    image = loader.image()
    seen, _ = run(loader, beats(image), cycles=len(image) + 60, writes=Writes(loader, lambda cycle: cycle == 40))
    assert seen.watched["waiting"][:42] == [0] + [1] * 40 + [0]
    assert seen.cycles("i") == list(range(40, 40 + len(image)))
    assert seen.watched["loaded"][-1] == 1


def broken() -> dict[str, list[tuple[int, int]]]:
    image = Loader(targets(), FINGERPRINT).image()
    cases = {f"byte {at}, bit {bit}": (at, bit) for at, bit in ((0, 3), (5, 0), (22, 7), (45, 1), (-13, 2), (-1, 7))}
    found = {}
    for name, (at, bit) in cases.items():
        changed = bytearray(image)
        changed[at] ^= 1 << bit
        found[name] = beats(bytes(changed))
    for length in (1, 11, 12, 17, 20, 25, len(image) - 12, len(image) - 4, len(image) - 1):
        found[f"{length} bytes"] = beats(image[:length])
    found["one byte more"] = beats(image, 1)
    found["many bytes more"] = beats(image, 70)
    wrong = bytearray(image[:-4])
    wrong[4] ^= 1
    found["another core"] = beats(bytes(wrong) + zlib.crc32(wrong).to_bytes(4, "little"))
    # A word of no bytes would never end.
    found["no word size"] = beats(HEADER + b"\0\0\0\0\5\0\0\0" + bytes(40))
    return found


@pytest.mark.parametrize("name", broken())
def test_what_is_wrong_is_refused_and_the_next_image_is_taken(name: str) -> None:
    loader = Loader(targets(), FINGERPRINT)
    wrong, right = broken()[name], beats(loader.image())
    # Loaded before: an error must undo that.
    seen, writes = run(loader, right + wrong + right, cycles=3 * len(right) + len(wrong) + 30)
    taken = seen.cycles("i")
    begin, end = taken[len(right)], taken[len(right) + len(wrong) - 1]
    loaded, error = seen.watched["loaded"], seen.watched["error"]
    assert loaded[begin] == 1
    assert not any(loaded[begin + 1 : taken[-1] + 2])
    assert loaded[taken[-1] + 2 :] and all(loaded[taken[-1] + 2 :])
    again = taken[len(right) + len(wrong)]
    assert not any(error[: begin + 1])
    # The next image begins two cycles later at least, as a checksum must be looked at.
    assert error[min(end + 2, again)] == 1
    assert not any(error[again + 1 :])
    count = sum(len(port.words) for port in loader.targets)
    assert [entry[1:] for entry in writes.all[-count:]] == [entry[1:] for entry in writes.all[:count]]


def test_another_core_writes_nothing() -> None:
    loader = Loader(targets(), FINGERPRINT)
    seen, writes = run(loader, broken()["another core"])
    assert seen.watched["error"].index(1) == seen.cycles("i")[4] + 1
    assert writes.all == []


def test_noise_is_refused_and_the_next_image_is_taken() -> None:
    rng = random.Random(5)
    loader = Loader(targets(), FINGERPRINT)
    sent: list[tuple[int, int]] = []
    for _ in range(30):
        noise = HEADER[: rng.choice((0, 4, 12, 12))] + rng.randbytes(rng.randint(1, 60))
        sent += beats(noise)
    seen, _ = run(loader, sent + beats(loader.image()), cycles=2 * len(sent) + 300)
    assert seen.watched["loaded"].index(1) == seen.cycles("i")[-1] + 2


def test_a_sample_gate_waits_for_samples_and_answers() -> None:
    gate = SampleGate(most=7)
    # (close, taken, last, answered), (open, idle)
    steps = [
        ((0, 1, 0, 0), (1, 0)),  # a sample begins
        ((1, 0, 0, 0), (1, 0)),  # inside of it, it stays open
        ((1, 1, 1, 0), (1, 0)),
        ((1, 0, 0, 0), (0, 0)),  # complete, but not answered
        ((0, 1, 1, 0), (1, 0)),  # another, of one beat
        ((1, 0, 0, 1), (0, 0)),
        ((1, 0, 0, 1), (0, 0)),
        ((1, 0, 0, 0), (0, 1)),
        ((0, 0, 0, 0), (1, 0)),
    ]
    seen = []

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        for port, value in zip((gate.close, gate.taken, gate.last, gate.answered), steps[cycle][0], strict=True):
            put(port, value)
        seen.append((get(gate.open), get(gate.idle)))

    play(gate, len(steps), each=each)
    assert seen == [outputs for _, outputs in steps]
