"""Memories that the core only reads, the homes of everything that was learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from amaranth.hdl import ClockSignal, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits

from .ram import Ram


class ImagePlatform(Protocol):
    """A platform that keeps memory images as files, instead of initial values in the netlist."""

    split: Callable[[int, int], Sequence[int]]
    """Widths of the memories side by side that one of so many words and bits is best made of, the lowest first."""

    def add_image(self, name: str, width: int, words: Sequence[int]) -> str:
        """Keep the contents of a memory; returns the name of the file that will hold them."""
        ...


class LoadTarget(Protocol):
    """What a `Loader` writes."""

    name: str
    width: int
    words: list[int]
    """What a load image holds of it."""
    depth: int
    load_en: Any
    load_addr: Any
    load_data: Any


def checked(name: str, width: int, words: Sequence[int]) -> list[int]:
    """The words as a list; raises a `ValueError` if one does not fit."""
    if bad := [word for word in words if not 0 <= word < 1 << width]:
        raise ValueError(f"words of {name} must be 0 .. 2**{width} - 1, not {bad[0]}")
    return [int(word) for word in words]


class Rom(wiring.Component):
    """Read-only memory with a latency of one clock cycle.

    With an `ImagePlatform` it becomes an instance of `spikewright_rom` that reads `<name>.hex`, as initial values
    of large memories make slow netlists; without one, in simulation, an Amaranth memory of the same contents. Where the
    platform splits it, each part has an image of its own, named for its lowest bit: `<name>_bits0`, `<name>_bits9`.

    With a `capacity` it is undefined until it is loaded: a `Ram`, whose read port is the same.

    Parameters
    ----------
    name : str
        Name of the memory image.
    width : int
        Bits of a word.
    words : sequence of int
        Contents, each 0 .. 2**width - 1. Padded to at least two words.
    capacity : int, optional
        Words that can be loaded at run time; at least as many as there are `words`.

    Members
    -------
    addr : In(range(depth))
    en : In(1)
        `data` keeps its value in a cycle after one without `en`.
    data : Out(width)
    load_en, load_addr, load_data : In
        Only with a `capacity`. What is read while something is loaded is undefined.

    Raises
    ------
    ValueError
        If a word does not fit, or there are more than `capacity`.
    """

    def __init__(self, *, name: str, width: int, words: Sequence[int], capacity: int | None = None) -> None:
        self.name = name
        self.width = width
        self.words = checked(name, width, words)
        if capacity is not None and len(words) > capacity:
            raise ValueError(f"words of {name} must be at most {capacity}, not {len(words)}")
        if capacity is None:
            self.words += [0] * (2 - len(words))
        self._capacity = capacity
        self.depth = len(self.words) if capacity is None else max(2, capacity)
        addr = unsigned_bits(self.depth - 1)
        load = {"load_en": In(1), "load_addr": In(addr), "load_data": In(width)}
        super().__init__(
            {"addr": In(addr), "en": In(1), "data": Out(width), **(load if capacity is not None else {})},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._capacity is not None:
            m.submodules.memory = ram = Ram(width=self.width, depth=self.depth, loaded=True)
            m.d.comb += [
                ram.read_en.eq(self.en),
                ram.read_addr.eq(self.addr),
                self.data.eq(ram.read_data),
                ram.write_en.eq(self.load_en),
                ram.write_addr.eq(self.load_addr),
                ram.write_data.eq(self.load_data),
            ]
        elif hasattr(platform, "add_image"):
            widths = platform.split(self.depth, self.width)
            low = 0
            for width in widths:
                part = "" if len(widths) == 1 else f"_bits{low}"
                words = [word >> low & (1 << width) - 1 for word in self.words]
                image = platform.add_image(self.name + part, width, words)
                m.submodules["image" + part] = Instance(
                    "spikewright_rom",
                    p_WIDTH=width,
                    p_DEPTH=self.depth,
                    p_ADDRESS_BITS=len(self.addr),
                    p_IMAGE=image,
                    i_clk=ClockSignal(),
                    i_en=self.en,
                    i_addr=self.addr,
                    o_data=self.data[low : low + width],
                )
                low += width
        else:
            m.submodules.memory = contents = memory.Memory(shape=self.width, depth=self.depth, init=self.words)
            port = contents.read_port()
            m.d.comb += [port.addr.eq(self.addr), port.en.eq(self.en), self.data.eq(port.data)]
        return m


class Setting(wiring.Component):
    """A number that was learned: a constant, or a register that is loaded at run time.

    Parameters
    ----------
    name : str
    width : int
    word : int
        0 .. 2**width - 1.
    loadable : bool

    Members
    -------
    data : Out(width)
    load_en, load_addr, load_data : In
        Only of a loadable one; `load_addr` is always 0.

    Raises
    ------
    ValueError
        If the word does not fit.
    """

    def __init__(self, *, name: str, width: int, word: int, loadable: bool) -> None:
        self.name = name
        self.width = width
        self.words = checked(name, width, [word])
        self.depth = 1
        self._loadable = loadable
        load = {"load_en": In(1), "load_addr": In(1), "load_data": In(width)}
        super().__init__({"data": Out(width), **(load if loadable else {})})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if not self._loadable:
            m.d.comb += self.data.eq(self.words[0])
            return m
        # Outlives the reset that the core is held in while it is loaded, as the memories do.
        held = Signal(self.width, reset_less=True)
        m.d.comb += self.data.eq(held)
        with m.If(self.load_en):
            m.d.sync += held.eq(self.load_data)
        return m
