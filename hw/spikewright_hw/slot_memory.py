"""Memories of which several words are read in a cycle, and registers that bring addresses near them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits

from .rom import Rom, checked


class LocalCopy(wiring.Component):
    """Hands on a payload, one cycle later, from registers of its own.

    With an `ImagePlatform` it becomes an instance of `spikewright_copy`, whose hierarchy is kept: synthesis would make
    one register of all that hold the same, and wires from there across the whole device.

    Parameters
    ----------
    width : int

    Members
    -------
    i : In(width)
    o : Out(width)
    """

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if hasattr(platform, "add_image"):
            m.submodules.copy = Instance(
                "spikewright_copy", p_WIDTH=self._width, i_clk=ClockSignal(), i_d=self.i, o_q=self.o
            )
        else:
            m.d.sync += self.o.eq(self.i)
        return m


class Broadcast:
    """Tells all lanes the same: a register for every few of them, then one of every lane's own (its `LocalCopy`).

    A way from one register to all lanes would be as long as the device. To the ones between it is half of that.

    Parameters
    ----------
    m : Module
        Gets a submodule `<name><number>`, a `LocalCopy`, for every eight lanes.
    value : Value
    name : str
    """

    LATENCY = 2
    _LANES = 8

    def __init__(self, m: Module, value: Any, *, name: str) -> None:
        self._m = m
        self._value = value
        self._name = name
        self._copies: list[LocalCopy] = []

    def to(self, lane: int) -> Any:
        """What the `LocalCopy` of a lane is to be given; lanes are asked for in their order."""
        if lane % self._LANES == 0:
            copy = LocalCopy(len(self._value))
            self._m.submodules[f"{self._name}{lane // self._LANES}"] = copy
            self._m.d.comb += copy.i.eq(self._value)
            self._copies.append(copy)
        return self._copies[lane // self._LANES].o


class SlotRom(wiring.Component):
    """Read-only memory of which one or two words are read in a cycle, with a latency of one clock cycle.

    Parameters
    ----------
    name : str
        Name of the memory image, see `Rom`.
    width : int
        Bits of a word.
    words : sequence of int
        Contents, each 0 .. 2**width - 1. Padded to at least two words.
    reads : int
        1 or 2.

    Members
    -------
    addr : In(range(depth)).array(reads)
    en : In(1)
        `data` keeps its values in a cycle after one without `en`.
    data : Out(width).array(reads)
    """

    def __init__(self, *, name: str, width: int, words: Sequence[int], reads: int) -> None:
        self._reads = reads
        self.name = name
        self.width = width
        self.words = checked(name, width, words)
        self.words += [0] * (2 - len(self.words))
        self.depth = len(self.words)
        super().__init__(
            {
                "addr": In(unsigned_bits(self.depth - 1)).array(reads),
                "en": In(1),
                "data": Out(width).array(reads),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._reads == 1:
            m.submodules.rom = rom = Rom(name=self.name, width=self.width, words=self.words)
            m.d.comb += [rom.en.eq(self.en), rom.addr.eq(self.addr[0]), self.data[0].eq(rom.data)]
        elif hasattr(platform, "add_image"):
            m.submodules.image = Instance(
                "spikewright_rom2",
                p_WIDTH=self.width,
                p_DEPTH=self.depth,
                p_ADDRESS_BITS=len(self.addr[0]),
                p_IMAGE=platform.add_image(self.name, self.width, self.words),
                i_clk=ClockSignal(),
                i_en=self.en,
                **{f"i_addr{port}": self.addr[port] for port in range(self._reads)},
                **{f"o_data{port}": self.data[port] for port in range(self._reads)},
            )
        else:
            m.submodules.memory = contents = memory.Memory(shape=self.width, depth=self.depth, init=self.words)
            for address, data in zip(self.addr, self.data, strict=True):
                port = contents.read_port()
                m.d.comb += [port.addr.eq(address), port.en.eq(self.en), data.eq(port.data)]
        return m


def registered(m: Any, value: Any, *, name: str) -> Any:
    """A register of the shape of `value` that follows it, one cycle later."""
    register = Signal(value.shape(), name=name)
    m.d.sync += register.eq(value)
    return register
