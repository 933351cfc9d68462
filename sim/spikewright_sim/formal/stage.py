"""A component under proof, its free surroundings, and the statements about it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Assert, Assume, ClockDomain, Cover, Fragment, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq

DUT = "dut"
FIRST = "proof_first"


class Stage:
    """A component whose inputs are free, but for what its contract asks of the surroundings.

    A proof starts in any state whatsoever, registers and memories alike, with one cycle of reset: what holds after it
    holds after every reset, at any moment. Statements count from the second cycle on.

    Parameters
    ----------
    component : wiring.Component
        Elaborated here, so that invariants may speak of its registers, see `inner`.
    """

    def __init__(self, component: Any) -> None:
        self.m = m = Module()
        self.first = Signal(init=1, reset_less=True, name=FIRST)
        m.domains.sync = self.domain = ClockDomain("sync")
        m.d.sync += self.first.eq(0)
        m.d.comb += self.domain.rst.eq(self.first)
        self._fragment = Fragment.get(component, None)
        m.submodules[DUT] = self._fragment
        # Registers of statements, apart from whatever condition a statement is made under.
        m.submodules.history = self._history = Module()
        self._free = 0

    def inner(self, *path: str) -> Any:
        """A signal inside of the component, by the names of submodules and its own."""
        fragment = self._fragment
        for name in path[:-1]:
            fragment = fragment.find_subfragment(name)
        # Amaranth has no public way to look into a component; a name that is gone shows here, not as a weaker proof.
        for statements in fragment.statements.values():
            for signal in statements._lhs_signals() | statements._rhs_signals():
                if signal.name == path[-1]:
                    return signal
        raise KeyError(f"{'.'.join(path)} must be a register or signal of the component, but there is none")

    def free(self, shape: Any) -> Any:
        """A signal that may take another value every cycle."""
        return self._signal(AnySeq, shape)

    def constant(self, shape: Any) -> Any:
        """A signal that keeps one value for ever, whichever."""
        return self._signal(AnyConst, shape)

    def _signal(self, kind: Any, shape: Any) -> Any:
        self._free += 1
        signal = Signal(shape, name=f"free{self._free}")
        value = Value.cast(signal)
        self._history.d.comb += value.eq(kind(len(value)))
        return signal

    def claim(self, condition: Any, what: str) -> None:
        self.m.d.comb += Assert(self.first | Value.cast(condition).bool(), what, src_loc_at=1)

    def assume(self, condition: Any) -> None:
        self.m.d.comb += Assume(self.first | Value.cast(condition).bool())

    def reachable(self, condition: Any, what: str) -> None:
        """Something that has to be possible: a proof about what never happens says nothing."""
        self.m.d.comb += Cover(~self.first & Value.cast(condition).bool(), what, src_loc_at=1)

    def past(self, value: Any, cycles: int = 1) -> Any:
        """`value` some cycles ago; 0 before the start."""
        value = Value.cast(value)
        for _ in range(cycles):
            register = Signal(value.shape(), name=f"past{self._free}")
            self._free += 1
            self._history.d.sync += register.eq(value)
            value = register
        return value

    def ever(self, condition: Any) -> Any:
        """Whether `condition` was true in an earlier cycle."""
        register = Signal(name=f"ever{self._free}")
        self._free += 1
        self._history.d.sync += register.eq(register | Value.cast(condition).bool())
        return register

    def source(self, port: Any) -> Any:
        """Offers anything at any time to an input of the component, and keeps it until it is taken.

        Returns the condition that a beat is taken.
        """
        payload = Value.cast(port.payload)
        self.m.d.comb += [port.valid.eq(self.free(1)), payload.eq(self.free(len(payload)))]
        waiting = self.past(port.valid & ~port.ready)
        was = self.past(payload)
        self.assume(~waiting | (port.valid & (payload == was)))
        return port.valid & port.ready

    def sink(self, port: Any) -> Any:
        """Takes from an output of the component or not, as it likes; claims that what is offered stays until then.

        Returns the condition that a beat is taken.
        """
        self.m.d.comb += port.ready.eq(self.free(1))
        return self.keeps(port)

    def keeps(self, port: Any) -> Any:
        """As `sink`, for a port that is driven elsewhere."""
        payload = Value.cast(port.payload)
        waiting = self.past(port.valid & ~port.ready)
        self.claim(~waiting | port.valid, "what is offered is not withdrawn")
        self.claim(~waiting | (payload == self.past(payload)), "what is offered does not change")
        return port.valid & port.ready

    def within(self, condition: Any, cycles: int, what: str) -> Any:
        """Claims that `condition` (of waiting) never lasts longer than `cycles`; returns how long it has lasted."""
        lasted = Signal(range(cycles + 2), name=f"lasted{self._free}")
        self._free += 1
        self._history.d.sync += lasted.eq(Mux(condition, Mux(lasted > cycles, lasted, lasted + 1), 0))
        self.claim(lasted <= cycles, what)
        return lasted


class Passage:
    """Follows one arbitrary beat of a stream through whatever lies between two ports.

    For every beat that enters with n beats ahead of it, the (n+1)th that leaves is that very beat: so nothing is lost,
    nothing comes twice, and the order stays. Any beat may be the one that is followed, and any number may follow one
    another, so that what is proven of it holds for all.

    Parameters
    ----------
    stage : Stage
    enters, leaves : conditions
    entering, leaving : payloads, of equal width
    most : int
        Beats that can be inside at once.
    """

    def __init__(self, stage: Stage, enters: Any, entering: Any, leaves: Any, leaving: Any, *, most: int) -> None:
        m = stage.m
        entering, leaving = Value.cast(entering), Value.cast(leaving)
        self.inside = Signal(range(most + 2), name="beats_inside")
        self.followed = Signal(name="beat_followed")
        self.ahead = Signal.like(self.inside, name="beats_ahead")
        self.beat = Signal(entering.shape(), name="beat")
        pick = stage.free(1)
        m.d.sync += self.inside.eq(self.inside + enters - leaves)
        stage.claim(~leaves | (self.inside != 0), "nothing leaves that did not enter")
        stage.claim(self.inside <= most, f"at most {most} beats are inside")
        arrives = self.followed & leaves & (self.ahead == 0)
        with m.If(enters & pick & ~self.followed):
            m.d.sync += [self.followed.eq(1), self.beat.eq(entering), self.ahead.eq(self.inside - leaves)]
        with m.Elif(arrives):
            m.d.sync += self.followed.eq(0)
        with m.Elif(leaves):
            m.d.sync += self.ahead.eq(self.ahead - 1)
        stage.claim(~arrives | (leaving == self.beat), "what leaves is what entered, in its turn")
        stage.claim(~self.followed | (self.ahead < self.inside), "the beat that is followed is inside")
        stage.reachable(stage.ever(arrives & (stage.past(self.inside) == most)), "a beat passes when all is full")
