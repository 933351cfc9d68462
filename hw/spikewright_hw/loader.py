"""Loading at run time: the image of all memories, and what writes it into them and checks it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from spikewright.contract.core import CoreSpec
from spikewright.contract.layer import OWN

from .rom import LoadTarget

MAGIC = b"SPKW"
FORMAT = 1
"""Part of the fingerprint: another one wherever the words of a memory get another meaning."""
SECTION_BYTES = 8
CHECKSUM_BYTES = 4

LOAD_BEAT = data.StructLayout({"data": 8, "last": 1})


def structure(spec: CoreSpec, targets: Sequence[LoadTarget]) -> dict[str, Any]:
    """All that a load image must agree on with a core, JSON-ready: what is wired, and how large the memories are."""
    network = spec.network
    return {
        "format": FORMAT,
        "timesteps": network.timesteps,
        "readout": network.readout,
        "queue_depth": spec.queue_depth,
        "score_bits": spec.score_bits,
        "layers": [
            {
                "inputs": image.spec.inputs,
                "neurons": image.spec.neurons,
                "recurrent": image.spec.recurrent,
                **({} if image.spec.onward is None else {"onward": True}),
                "decay": asdict(image.spec.decay),
                **image.spec.neuron.as_dict(),
                **{name: True for name in OWN if getattr(image.spec, name) is not None},
                "weight_bits": image.spec.weight_bits,
                "weight_shift": image.spec.weight_shift,
                "value_bits": image.spec.value_bits,
                **({"current_decay": asdict(current)} if (current := image.spec.current_decay) else {}),
                "capacity": image.capacity.as_dict() if image.capacity else None,
            }
            for image in spec.layers
        ],
        "engine": None,
        **{name: image.capacity.as_dict() for name, image in spec.common.items() if image.capacity},
        "memories": [[target.name, target.width, target.depth] for target in targets],
    }


def fingerprint(spec: CoreSpec, targets: Sequence[LoadTarget]) -> bytes:
    """The first 8 bytes of the SHA-256 of `structure`."""
    text = json.dumps(structure(spec, targets), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[:8]


def _word_bytes(target: LoadTarget) -> int:
    return -(-target.width // 8)


class _Parts(NamedTuple):
    """Where a loader is in an image."""

    take: Signal
    """A byte is taken."""
    place: Signal
    """Its number in the header, head, word or checksum."""
    end: Signal
    """It is the last one there."""
    head: Any
    """The head of a section, in the cycle of its last byte."""
    section: Any
    """The head of the section that is read, with the words that are still to come."""
    address: Signal
    """Where the next word goes."""
    written: Signal
    """A word ends, and is written."""


class Loader(wiring.Component):
    """Writes a load image into memories, and checks it.

    An image is a packet of bytes, numbers in little-endian order: `MAGIC`; the 8 bytes of `fingerprint`; a section for
    every memory that has words, which is its number (2 bytes), the bytes of a word (2), the number of words (4), and
    the words; a section of zeros; and the CRC-32 of all that (as by zlib).

    The first byte is taken one cycle after it was offered, or once `idle`; then one byte a cycle. Two cycles after the
    last byte was taken, `loaded` or `error` tells whether the image is for this core, its checksum matches, and it
    ended exactly there; until then neither is set. Of an image for another core, or one that ends early or late,
    `error` tells in the cycle after the byte that showed it. What is left of it is thrown away, up to the byte with
    `last`: whatever came, the next byte begins another image.

    Parameters
    ----------
    targets : sequence of LoadTarget
        Their `load_en`, `load_addr` and `load_data` are driven: a word is written two cycles after its last byte was
        taken.
    fingerprint : bytes

    Members
    -------
    i : In(stream.Signature(LOAD_BEAT))
    waiting : Out(1)
        The first byte of an image is offered; high until it is taken.
    idle : In(1)
        Nobody reads the memories, and will not while `waiting`.
    loaded, error : Out(1)
    """

    def __init__(self, targets: Sequence[LoadTarget], fingerprint: bytes) -> None:
        self.targets = list(targets)
        self.fingerprint = fingerprint
        self._header = MAGIC + fingerprint
        super().__init__(
            {
                "i": In(stream.Signature(LOAD_BEAT)),
                "waiting": Out(1),
                "idle": In(1),
                "loaded": Out(1),
                "error": Out(1),
            }
        )

    def image(self) -> bytes:
        """The load image of the words of all targets."""
        image = bytearray(self._header)
        for index, target in enumerate(self.targets):
            size = _word_bytes(target)
            if target.words:
                for number, of_bytes in ((index, 2), (size, 2), (len(target.words), 4)):
                    image += number.to_bytes(of_bytes, "little")
                image += b"".join(word.to_bytes(size, "little") for word in target.words)
        image += bytes(SECTION_BYTES)
        return bytes(image + zlib.crc32(image).to_bytes(CHECKSUM_BYTES, "little"))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.crc = checksum = crc.Processor(catalog.CRC32_ISO_HDLC(8))
        beat = self.i.payload
        # Bytes enter at the top: a word, or the head of a section, ends there.
        width = 8 * max(SECTION_BYTES, *(_word_bytes(target) for target in self.targets))
        window = Signal(width)
        shifted = Signal(width)
        place = Signal(16)
        head = Signal(data.StructLayout({"target": 16, "size": 16, "words": 32}))
        section = Signal.like(head)
        address = Signal(max(len(target.load_addr) for target in self.targets))
        take = Signal()
        end = Signal()
        written = Signal()
        m.d.comb += [
            take.eq(self.i.valid & self.i.ready),
            shifted.eq(Cat(window[8:], beat.data)),
            head.eq(shifted[-8 * SECTION_BYTES :]),
            checksum.data.eq(beat.data),
            checksum.valid.eq(take),
        ]
        with m.If(take):
            m.d.sync += [window.eq(shifted), place.eq(Mux(end, 0, place + 1))]
        self._parse(m, checksum, _Parts(take, place, end, head, section, address, written))
        self._write(m, written, section.target, address, shifted)
        return m

    def _parse(self, m: Module, checksum: crc.Processor, parts: _Parts) -> None:
        """What the bytes mean, one after the other, and whether they may."""
        beat = self.i.payload
        take, place, end, head, section, address, written = parts

        def refuse(wrong: Any) -> None:
            """Overrides what comes next in a state."""
            with m.If(take & wrong):
                m.d.sync += [self.error.eq(1), place.eq(0)]
                m.next = "discard"
                with m.If(beat.last):
                    m.next = "begin"

        header = Array(self._header)
        m.d.comb += self.i.ready.eq(1)
        with m.FSM():
            with m.State("begin"):
                m.d.comb += [self.i.ready.eq(self.waiting & self.idle), checksum.start.eq(1)]
                m.d.sync += self.waiting.eq(self.i.valid & ~take)
                with m.If(take):
                    m.d.sync += [self.loaded.eq(0), self.error.eq(0)]
                    m.next = "header"
                refuse((beat.data != header[0]) | beat.last)
            with m.State("header"):
                m.d.comb += end.eq(place == len(self._header) - 1)
                with m.If(take & end):
                    m.next = "head"
                refuse((beat.data != header[place[: len(self._header).bit_length()]]) | beat.last)
            with m.State("head"):
                m.d.comb += end.eq(place == SECTION_BYTES - 1)
                with m.If(take & end):
                    m.d.sync += [section.eq(head), address.eq(0)]
                    m.next = "words"
                    with m.If(head.words == 0):
                        m.next = "checksum"
                refuse(beat.last)
            with m.State("words"):
                m.d.comb += [end.eq(place == section.size - 1), written.eq(take & end)]
                with m.If(written):
                    m.d.sync += [address.eq(address + 1), section.words.eq(section.words - 1)]
                    with m.If(section.words == 1):
                        m.next = "head"
                refuse(beat.last)
            with m.State("checksum"):
                m.d.comb += end.eq(place == CHECKSUM_BYTES - 1)
                with m.If(take & end):
                    m.next = "verify"
                refuse(beat.last != end)
            with m.State("verify"):
                m.d.comb += self.i.ready.eq(0)
                m.d.sync += [self.loaded.eq(checksum.match_detected), self.error.eq(~checksum.match_detected)]
                m.next = "begin"
            with m.State("discard"), m.If(take & beat.last):
                m.d.sync += place.eq(0)
                m.next = "begin"

    def _write(self, m: Module, written: Signal, number: Any, address: Signal, shifted: Signal) -> None:
        """Registers on the way to the memories, those of address and word in common."""
        word = Signal.like(shifted)
        word_address = Signal.like(address)
        with m.If(written):
            m.d.sync += [word.eq(shifted), word_address.eq(address)]
        for index, target in enumerate(self.targets):
            enable = Signal(name=f"load_{target.name}")
            m.d.sync += enable.eq(written & (number == index))
            m.d.comb += [
                target.load_en.eq(enable),
                target.load_addr.eq(word_address),
                target.load_data.eq(word[-8 * _word_bytes(target) :]),
            ]


class SampleGate(wiring.Component):
    """Tells when no sample is under way, and keeps new ones out on request.

    Parameters
    ----------
    most : int
        Samples that can be under way.

    Members
    -------
    close : In(1)
        Let no other sample begin.
    taken, last : In(1)
        A beat is taken; it is the last of a sample.
    answered : In(1)
        The last beat of an answer is taken.
    open : Out(1)
        A beat may be taken.
    idle : Out(1)
        No sample is under way, and none begins.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        super().__init__(
            {
                "close": In(1),
                "taken": In(1),
                "last": In(1),
                "answered": In(1),
                "open": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inside = Signal()  # a sample
        samples = Signal(range(self._most + 1))
        m.d.comb += [
            self.open.eq(~self.close | inside),
            self.idle.eq(self.close & ~inside & (samples == 0)),
        ]
        with m.If(self.taken):
            m.d.sync += inside.eq(~self.last)
        m.d.sync += samples.eq(samples + (self.taken & self.last) - self.answered)
        return m
