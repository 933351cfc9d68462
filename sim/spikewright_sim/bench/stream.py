"""Drivers and monitors of stream ports, advanced by one loop per clock cycle.

A loop that wakes once a cycle, at the falling edge, costs a fraction of a coroutine per port. At that moment all
registers have settled after the rising edge, and what is set now is what the next rising edge sees: a beat is
transferred in the cycle if `valid` and `ready` are both high then. This needs the `ready` of the device not to depend
on what is offered in the same cycle, nor its `valid` on `ready`; the streams of the core promise both. Components
inside it promise less: their benches first set all ports (`offer`, `accept`), let them settle, and then look (`taken`,
`given`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Port:
    """Handles of a stream: `payload` fields in the order of a beat's values."""

    payload: tuple[Any, ...]
    valid: Any
    ready: Any

    @classmethod
    def axi(cls, dut: Any, prefix: str) -> Port:
        """An AXI4-Stream; beats are (tdata, tlast)."""
        data, last = getattr(dut, f"{prefix}_tdata"), getattr(dut, f"{prefix}_tlast")
        return cls((data, last), getattr(dut, f"{prefix}_tvalid"), getattr(dut, f"{prefix}_tready"))

    @classmethod
    def amaranth(cls, dut: Any, name: str) -> Port:
        """A stream of an Amaranth component; beats are (payload,)."""
        payload = getattr(dut, f"{name}__payload")
        return cls((payload,), getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready"))


class StreamRules:
    """Checks one stream of any simulator, cycle by cycle: what is offered stays, unchanged, until it is taken.

    Parameters
    ----------
    name : str
        For messages.
    stable : bool
        Whether an offered payload must stay; what is offered may never be withdrawn.
    keep : bool
        Keep all beats that were taken.

    Attributes
    ----------
    taken : int
        Number of beats that were transferred.
    beats : list
        These beats, if they are kept: those of the two ends of a chain must be equal, or else something was lost,
        doubled or changed between them.
    """

    def __init__(self, name: str, *, stable: bool = True, keep: bool = False) -> None:
        self.name = name
        self.taken = 0
        self.beats: list[Any] = []
        self._stable = stable
        self._keep = keep
        self._waiting: Any = None
        self._waits = False

    @property
    def waits(self) -> bool:
        """Whether a beat was offered in the last cycle and not taken."""
        return self._waits

    def cycle(self, valid: bool, ready: bool, payload: Any) -> bool:
        """What a clock edge sees; True if a beat is transferred.

        Raises
        ------
        AssertionError
            If a rule is broken.
        """
        if self._waits and not valid:
            raise AssertionError(f"{self.name}: a beat was withdrawn before it was taken: {self._waiting}")
        if self._waits and self._stable and payload != self._waiting:
            raise AssertionError(f"{self.name}: a beat must stay until it is taken: {self._waiting} became {payload}")
        self._waits = valid and not ready
        self._waiting = payload if self._waits else None
        if not (valid and ready):
            return False
        self.taken += 1
        if self._keep:
            self.beats.append(payload)
        return True


class StreamDriver:
    """Offers beats in order, pausing at random; an offered beat stays until it is taken.

    Parameters
    ----------
    port : Port
    rng : random.Random
    stall : float
        Probability of a pause in a cycle in which a beat could be offered.
    """

    def __init__(self, port: Port, rng: random.Random, stall: float = 0.0) -> None:
        self.stall = stall
        self._port = port
        self._rng = rng
        self._beats: Iterator[tuple[int, ...]] = iter(())
        self._next: tuple[int, ...] | None = None
        self._offered = False
        self._valid = False
        port.valid.value = 0

    @property
    def idle(self) -> bool:
        """All beats have been taken."""
        return self._next is None

    def send(self, beats: Iterable[tuple[int, ...]]) -> None:
        """What to offer next; only while `idle`."""
        self._beats = iter(beats)
        self._next = next(self._beats, None)

    def step(self) -> bool:
        """Once a cycle; True if a beat is taken in it."""
        self.offer()
        return self.taken()

    def offer(self) -> None:
        """First half of `step`."""
        port = self._port
        if self._offered:
            return
        if self._next is None or (self.stall and self._rng.random() < self.stall):
            self._set_valid(False)
            return
        for handle, value in zip(port.payload, self._next, strict=True):
            handle.value = value
        self._set_valid(True)
        self._offered = True

    def _set_valid(self, valid: bool) -> None:
        # Writing a handle costs as much as the rest of a quiet cycle.
        if valid != self._valid:
            self._port.valid.value = self._valid = valid

    def taken(self) -> bool:
        """Second half of `step`."""
        if not self._offered or not int(self._port.ready.value):
            return False
        self._next = next(self._beats, None)
        self._offered = False
        return True


class StreamMonitor:
    """Takes beats, pausing at random, and checks that what is offered stays until it is taken.

    Parameters
    ----------
    port : Port
    rng : random.Random
    stall : float
        Probability of a pause, each cycle.
    """

    def __init__(self, port: Port, rng: random.Random, stall: float = 0.0) -> None:
        self.stall = stall
        self._port = port
        self._rng = rng
        self._ready = False
        port.ready.value = False
        self._rules = StreamRules(str(getattr(port.valid, "_name", "stream")))

    def step(self) -> tuple[int, ...] | None:
        """Once a cycle; the beat that is taken in it."""
        self.accept()
        return self.given()

    def accept(self) -> None:
        """First half of `step`."""
        ready = not (self.stall and self._rng.random() < self.stall)
        if ready != self._ready:
            self._port.ready.value = self._ready = ready

    def given(self) -> tuple[int, ...] | None:
        """Second half of `step`."""
        port = self._port
        valid = bool(int(port.valid.value))
        beat = tuple(int(handle.value) for handle in port.payload) if valid else ()
        return beat if self._rules.cycle(valid, self._ready, beat) else None
