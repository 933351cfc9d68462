"""How the reset reaches a core of thousands of registers: a register for every part of it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class ResetRegister(wiring.Component):
    """Hands on a reset, one cycle later.

    With an `ImagePlatform` it becomes an instance of `spikewright_reset`, whose register is kept: synthesis would make
    one of all that hold the same again, and one net across the whole device, which limits the clock. (To keep its
    hierarchy instead breaks what yosys does for the ports of a Gowin device.)

    Members
    -------
    i : In(1)
    o : Out(1)
    """

    def __init__(self) -> None:
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if hasattr(platform, "add_image"):
            m.submodules.reset = Instance("spikewright_reset", i_clk=ClockSignal(), i_d=self.i, o_q=self.o)
        else:
            m.d.sync += self.o.eq(self.i)
        return m


def add_parts(m: Module, reset: Any, *, register: str = "reset", **parts: Any) -> None:
    """Add submodules that are reset by `reset`, through a register of their own.

    Parameters
    ----------
    m : Module
    reset : Value
    register : str
        Name of the submodule of the register.
    parts
        Submodules by name; their reset comes one cycle after `reset`.
    """
    m.submodules[register] = stage = ResetRegister()
    m.d.comb += stage.i.eq(reset)
    for name, part in parts.items():
        m.submodules[name] = ResetInserter(stage.o)(part)
