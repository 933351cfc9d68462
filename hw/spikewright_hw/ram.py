"""Writable memories, and queues made of them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, ClockSignal, Instance, Module, Mux, Shape, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits
from spikewright.contract.memories import in_registers

from .arithmetic import following

_NO_COLLISIONS = {"no_rw_check": 1}


class Ram(wiring.Component):
    """Memory with one read port (latency of one clock cycle) and one write port.

    What a read gives in the cycle in which its address is written is undefined: whoever may read what is just being
    written hands it over himself. Block RAM is declared so, and needs no emulation logic. What would waste a memory
    is made of registers, on purpose rather than by the synthesis' discretion.

    With an `ImagePlatform` (see `rom`) it becomes an instance of `spikewright_ram`, one module for whoever has memories
    of his own.

    Parameters
    ----------
    width, depth : int
    loaded : bool
        Nothing is read in a cycle of a write: a single port would do.

    Members
    -------
    read_en : In(1)
        `read_data` keeps its value in a cycle after one without `read_en`.
    read_addr : In(range(depth))
    read_data : Out(width)
    write_en : In(1)
    write_addr : In(range(depth))
    write_data : In(width)
    """

    def __init__(self, *, width: int, depth: int, loaded: bool = False) -> None:
        self._width = width
        self._depth = depth
        self._loaded = loaded
        addr = unsigned_bits(depth - 1)
        super().__init__(
            {
                "read_en": In(1),
                "read_addr": In(addr),
                "read_data": Out(width),
                "write_en": In(1),
                "write_addr": In(addr),
                "write_data": In(width),
            }
        )

    @property
    def depth(self) -> int:
        return self._depth

    @property
    def in_registers(self) -> bool:
        return in_registers(self._depth, self._width)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.in_registers:
            words = Array(Signal(self._width, name=f"word{k}", reset_less=True) for k in range(self._depth))
            with m.If(self.read_en):
                m.d.sync += self.read_data.eq(words[self.read_addr])
            with m.If(self.write_en):
                m.d.sync += words[self.write_addr].eq(self.write_data)
        elif hasattr(platform, "add_image"):
            m.submodules.memory = self._instance("spikewright_ram", p_LOADED=int(self._loaded))
        else:
            m.submodules.memory = words = memory.Memory(
                shape=self._width, depth=self._depth, init=[], attrs=_NO_COLLISIONS
            )
            read = words.read_port()
            write = words.write_port()
            m.d.comb += [
                read.en.eq(self.read_en),
                read.addr.eq(self.read_addr),
                self.read_data.eq(read.data),
                write.en.eq(self.write_en),
                write.addr.eq(self.write_addr),
                write.data.eq(self.write_data),
            ]
        return m

    def _instance(self, module: str, **parameters: int) -> Instance:
        return Instance(
            module,
            p_WIDTH=self._width,
            p_DEPTH=self._depth,
            p_ADDRESS_BITS=len(self.read_addr),
            i_clk=ClockSignal(),
            i_read_en=self.read_en,
            i_read_addr=self.read_addr,
            o_read_data=self.read_data,
            i_write_en=self.write_en,
            i_write_addr=self.write_addr,
            i_write_data=self.write_data,
            **parameters,
        )


class TraceRam(Ram):
    """A `Ram` that only a trace reads: with an `ImagePlatform` an instance of `spikewright_trace`.

    Where no trace is wanted, that holds nothing, and `read_data` is 0.
    """

    def elaborate(self, platform: Any) -> Module:
        if not hasattr(platform, "add_image"):
            return super().elaborate(platform)
        m = Module()
        m.submodules.memory = self._instance("spikewright_trace")
        return m


class RamQueue(wiring.Component):
    """First in, first out, in a memory: an entry is offered two cycles after it was taken, then one a cycle.

    ::

        m.submodules.queue = queue = RamQueue(unsigned(8), depth=256)
        # A producer that reacts in the next cycle has one entry under way.
        m.d.comb += source.enable.eq(queue.level < queue.depth - 2)
        wiring.connect(m, source.o, queue.i)
        wiring.connect(m, queue.o, sink.i)

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        Entries that wait behind the one that is offered, at most: whoever puts in sees to that, by `level`.

    Members
    -------
    i : In(stream.Signature(shape, always_ready=True))
    o : Out(stream.Signature(shape))
    level : Out(range(depth + 1))
        Entries held, without the one that is offered; changes in the cycle after an entry was taken.
    """

    def __init__(self, shape: Any, *, depth: int) -> None:
        self._width = Shape.cast(shape).width
        self._depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(shape, always_ready=True)),
                "o": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
            }
        )

    @property
    def depth(self) -> int:
        return self._depth

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.ram = ram = Ram(width=self._width, depth=self._depth)
        level = self.level
        write_addr = Signal(unsigned_bits(self._depth - 1))
        read_addr = Signal(unsigned_bits(self._depth - 1))
        take = self.i.valid
        fetch = (level != 0) & (~self.o.valid | self.o.ready)
        m.d.comb += [
            ram.write_en.eq(take),
            ram.write_addr.eq(write_addr),
            ram.write_data.eq(self.i.payload),
            ram.read_en.eq(fetch),
            ram.read_addr.eq(read_addr),
            self.o.payload.eq(ram.read_data),
        ]
        # Both may come late, from all that holds up a reader or a writer: they choose, and enter no carry chain.
        m.d.sync += level.eq(Mux(take == fetch, level, Mux(take, level + 1, level - 1)))
        with m.If(take):
            m.d.sync += write_addr.eq(following(write_addr, self._depth))
        with m.If(fetch):
            m.d.sync += [self.o.valid.eq(1), read_addr.eq(following(read_addr, self._depth))]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
