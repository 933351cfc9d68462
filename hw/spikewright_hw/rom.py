"""Read-only memories, the homes of everything that was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import unsigned_bits


class ImagePlatform(Protocol):
    """A platform that keeps memory images as files, instead of initial values in the netlist."""

    def add_image(self, name: str, width: int, words: Sequence[int]) -> None: ...


class Rom(wiring.Component):
    """Read-only memory with a latency of one clock cycle.

    With an `ImagePlatform` it becomes an instance of `spikewright_rom` that reads `<name>.hex`, as initial values
    of large memories make slow netlists; without one, in simulation, an Amaranth memory of the same contents.

    Parameters
    ----------
    name : str
        Of the image.
    width : int
        Bits of a word.
    words : sequence of int
        Contents, each 0 .. 2**width - 1. Padded to at least two words.

    Members
    -------
    addr : In(range(depth))
    en : In(1)
        `data` keeps its value in a cycle after one without `en`.
    data : Out(width)

    Raises
    ------
    ValueError
        If a word does not fit.
    """

    def __init__(self, *, name: str, width: int, words: Sequence[int]) -> None:
        if bad := [word for word in words if not 0 <= word < 1 << width]:
            raise ValueError(f"words of {name} must be 0 .. 2**{width} - 1, not {bad[0]}")
        self._name = name
        self._width = width
        self._words = [int(word) for word in words] + [0] * (2 - len(words))
        super().__init__({"addr": In(unsigned_bits(self.depth - 1)), "en": In(1), "data": Out(width)})

    @property
    def depth(self) -> int:
        return len(self._words)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if hasattr(platform, "add_image"):
            platform.add_image(self._name, self._width, self._words)
            m.submodules.image = Instance(
                "spikewright_rom",
                p_WIDTH=self._width,
                p_DEPTH=self.depth,
                p_ADDRESS_BITS=len(self.addr),
                p_IMAGE=f"{self._name}.hex",
                i_clk=ClockSignal(),
                i_en=self.en,
                i_addr=self.addr,
                o_data=self.data,
            )
        else:
            m.submodules.memory = contents = memory.Memory(shape=self._width, depth=self.depth, init=self._words)
            port = contents.read_port()
            m.d.comb += [port.addr.eq(self.addr), port.en.eq(self.en), self.data.eq(port.data)]
        return m
