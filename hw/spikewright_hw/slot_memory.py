"""Memories of which several words are read in a cycle, and registers that bring addresses near them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, Signal, Value
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


_LANES_OF_COPY = 8
BROADCAST_LATENCY = 2
"""Cycles to what the `LocalCopy` of a lane gives, of something that is `broadcast`."""


def broadcast(m: Module, value: Value, lanes: int, *, name: str) -> list[Value]:
    """What the `LocalCopy` of each lane is to be given, so that all lanes are told the same.

    A way from one register to all lanes would be as long as the device. To those between, one for every eight lanes,
    it is half of that.

    Parameters
    ----------
    m : Module
        Gets a submodule `<name><number>`, a `LocalCopy`, for every eight lanes.
    value : Value
    lanes : int
    name : str
    """
    copies = [LocalCopy(len(value)) for _ in range(-(-lanes // _LANES_OF_COPY))]
    for number, copy in enumerate(copies):
        m.submodules[f"{name}{number}"] = copy
        m.d.comb += copy.i.eq(value)
    return [copies[lane // _LANES_OF_COPY].o for lane in range(lanes)]


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
