"""What travels on a board's serial line.

A byte with its top bit set begins a frame, the others carry on: seven payload bits a byte, low bits first. A lost byte
therefore costs one frame and never shifts the meaning of the next ones, and it is noticed.

To the board: one frame per beat of the core's input stream,

====================  ==================================================================
bits                  meaning
====================  ==================================================================
`axon_bits`           axon of an event; of a mark: 1 if it ends the sample, 0 otherwise
`value_bits`          value of an event; of a mark: 0
1                     0: an event, 1: a mark, which ends a step
====================  ==================================================================

A mark with a value of 1 is none, but a command: where the core is loaded at run time, such a frame begins a load image
(axon 0) or ends it (axon 1). Between the two travel the bits of the image, low bits first, seven in a byte without the
top bit. Any other frame in between ends the image too, as one that was cut short. Where there is no image to end, the
frame of axon 1 is a question, which every bridge answers: what core is this?

From the board: one frame per sample,

============================  ==========================================================
bytes                         meaning
============================  ==========================================================
1                             top bit, and the flags `OVERFLOW`, `LINE_ERROR`, `PROTOCOL_ERROR`
2                             beats that reached the core in this sample, modulo 2**14
ceil(8 output_bytes / 7)      the score of a class, as often as there are classes
ceil(8 output_bytes / 7)      the class; the top bit of `output_bytes` is the core's error flag
============================  ==========================================================

and for the end of every load image a byte: the top bit, the one below it, `LOADED` and the flags. Results do not have
the bit below the top one. The answer to a question is such a byte with `IDENTITY`, in which `LOADED` says whether the
core has a network, and behind it the `FINGERPRINT_BITS` bits of the core's fingerprint, seven in a byte.

A flag once set stays until a break (`rx` low for longer than a byte takes) resets the bridge and the core, which also
forgets what it was loaded with. The line has no flow control: beats wait in a queue of the board, and what comes while
that is full is dropped and sets `OVERFLOW`. Who sends a sample only after the result of the one before arrived never
fills it with anything but one sample.

A core that refuses an image has no network, and takes no events until it is loaded again: they are dropped, and set
`UNLOADED`. An image that begins while a sample is under way is dropped, and the core keeps its network: it sets
`OVERFLOW`. Send one only after all results arrived, and samples only after the answer to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

OVERFLOW = 1
LINE_ERROR = 2
PROTOCOL_ERROR = 4
UNLOADED = 8
FLAG_BITS = 4

IDENTITY = 0x10
LOADED = 0x20
LOAD_REPLY = 0x40
START = 0x80
BEAT_COUNT_BITS = 14
FINGERPRINT_BITS = 28


def groups(bits: int) -> int:
    """Bytes of seven payload bits that hold `bits` bits."""
    return -(-bits // 7)


def frame(value: int, bits: int) -> bytes:
    """One frame of `bits` payload bits."""
    body = bytearray((value >> (7 * k)) & 0x7F for k in range(groups(bits)))
    body[0] |= START
    return bytes(body)


def fingerprint(files: Iterable[Path]) -> int:
    """Of a core, by its Verilog and memory images: what a board answers to the question which core it has.

    Cores with the same files have the same, others another one but for a chance of 2**-28.
    """
    digest = hashlib.sha256()
    for name, content in sorted((file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files):
        digest.update(f"{name} {content}\n".encode())
    return int.from_bytes(digest.digest()[:4], "little") >> (32 - FINGERPRINT_BITS)
