"""The read-out: leaky integrators that never fire, their sums over the steps, and the class decision."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import LayerImage, signed_bits, unsigned_bits

from .arithmetic import leak
from .lane import StatePort
from .layouts import MARK
from .ram import Ram
from .rom import Rom


def result(score_bits: int) -> data.StructLayout:
    """A score, or, with `last`, the class (in the low bits of `score`) and whether the sample had an error."""
    return data.StructLayout({"score": signed(score_bits), "last": 1, "error": 1})


class ReadoutUpdate(wiring.Component):
    """Sweeps the classes at the end of a step, one a cycle, and sends the scores after the last step.

    As for `NeuronUpdate`, the state memory holds what the step starts from; here every membrane is added to the score
    of its class, and leaks::

        score = score + state
        state = ((state * multiplier) >> shift) + bias     # bias alone after the last step of a sample

    A sweep starts in the cycle after a mark waits, all lanes are done, the result of the sample before has been taken,
    and no class of the sweep before is still under way. The mark is taken as the last class is read. After the last
    step of a sample, the scores follow in the order of the classes, then the class: the lowest of those with the
    highest score. The first score is offered six cycles after the last class was read, and the following ones at most
    every second cycle.

    Parameters
    ----------
    image : LayerImage
    state_bits : int
    score_bits : int
    name : str
        Prefix of the memory image `<name>_neurons`: the `bias` of a class per word.

    Members
    -------
    marks : In(stream.Signature(MARK))
    start : In(1)
        The lanes have added all events of the step.
    states : Out(StatePort(...)).array(lanes)
    results : Out(stream.Signature(result(score_bits)))
    trace : Out
        `valid`, `row` (the class) and `v` of every class at every step.
    initializing : Out(1)
        The states are not set yet: nothing may be added.
    """

    def __init__(self, image: LayerImage, *, state_bits: int, score_bits: int, name: str) -> None:
        self._spec = image.spec
        self._classes = image.spec.neurons
        self._lanes = image.lanes
        self._lane_bits = (image.lanes - 1).bit_length()
        self._state_bits = state_bits
        self._score_bits = score_bits
        bias = image.spec.bias.tolist()
        self._bias_bits = signed_bits(min(bias), max(bias))
        mask = (1 << self._bias_bits) - 1
        self.rom = Rom(name=f"{name}_neurons", width=self._bias_bits, words=[b & mask for b in bias])
        super().__init__(
            {
                "marks": In(stream.Signature(MARK)),
                "start": In(1),
                "states": Out(StatePort(image.rows, state_bits)).array(self._lanes),
                "results": Out(stream.Signature(result(score_bits))),
                "trace": Out(
                    wiring.Signature(
                        {"valid": Out(1), "row": Out(unsigned_bits(self._classes - 1)), "v": Out(signed(state_bits))}
                    )
                ),
                "initializing": Out(1, init=1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        m.submodules.scores = scores = Ram(width=self._score_bits, depth=self._classes)
        value = signed(self._state_bits)
        class_shape = unsigned_bits(self._classes - 1)

        # Read, one class a cycle.
        index = Signal(class_shape)
        sweeping = Signal(init=1)
        sending = Signal()  # from the start of the last sweep until the class is taken
        at_end = Signal()
        under_way = Signal(4)
        m.d.comb += at_end.eq(index == self._classes - 1)
        with m.If(sweeping):
            m.d.sync += index.eq(Mux(at_end, 0, index + 1))
            with m.If(at_end):
                m.d.sync += [sweeping.eq(0), self.initializing.eq(0)]
        with m.Elif(self.marks.valid & self.start & ~sending & (under_way == 0)):
            m.d.sync += [sweeping.eq(1), sending.eq(self.marks.payload.last)]
        m.d.comb += [
            self.marks.ready.eq(sweeping & at_end & ~self.initializing),
            rom.addr.eq(index),
            rom.en.eq(1),
        ]
        m.d.sync += under_way.eq((under_way << 1) | sweeping)
        for state in self.states:
            m.d.comb += [state.read_en.eq(sweeping), state.read_addr.eq(index[self._lane_bits :])]
        indices = [Signal(class_shape, name=f"index{k}") for k in range(4)]
        marks = [Signal(MARK, name=f"mark{k}") for k in range(3)]
        silent = [Signal(name=f"silent{k}") for k in range(3)]
        for k in range(4):
            m.d.sync += indices[k].eq(indices[k - 1] if k else index)
        for k in range(3):
            m.d.sync += [
                marks[k].eq(marks[k - 1] if k else self.marks.payload),
                silent[k].eq(silent[k - 1] if k else self.initializing),
            ]

        # Register the membrane and the bias of the class.
        membrane = Signal(value)
        biases = [Signal(signed(self._bias_bits), name=f"bias{k}") for k in range(2)]
        m.d.sync += [
            membrane.eq(self._of_lane(indices[0])),
            biases[0].eq(rom.data),
            biases[1].eq(biases[0]),
        ]

        # Read the score, while the membrane waits.
        v = Signal(value)
        m.d.sync += v.eq(membrane)
        m.d.comb += [scores.read_en.eq(1), scores.read_addr.eq(indices[1])]

        # Add to the score, which counts from the first step of a sample; leak and add the bias.
        first = Signal(init=1)
        counting = Signal()
        next_state = Signal(value)
        m.d.comb += [
            counting.eq(under_way[2] & ~silent[2]),
            scores.write_en.eq(counting),
            scores.write_addr.eq(indices[2]),
            scores.write_data.eq(Mux(first, 0, scores.read_data.as_signed()) + v),
            self.trace.valid.eq(counting),
            self.trace.row.eq(indices[2]),
            self.trace.v.eq(v),
        ]
        m.d.sync += next_state.eq(Mux(silent[2] | marks[2].last, 0, leak(v, self._spec.decay)) + biases[1])
        with m.If(counting & (indices[2] == self._classes - 1)):
            m.d.sync += first.eq(marks[2].last)

        # Write back.
        for lane, state in enumerate(self.states):
            m.d.comb += [
                state.write_en.eq(under_way[3] & (indices[3][: self._lane_bits] == lane)),
                state.write_addr.eq(indices[3][self._lane_bits :]),
                state.write_data.eq(next_state),
            ]

        # Send the scores and keep the best.
        error = Signal()
        sent = Signal(class_shape)
        best = Signal(signed(self._score_bits))
        best_class = Signal(class_shape)
        score = scores.read_data.as_signed()
        with m.FSM():
            with m.State("sum"):
                with m.If(under_way[3] & sending & (indices[3] == self._classes - 1)):
                    m.d.sync += sent.eq(0)
                    m.next = "read"
                with m.If(self.marks.ready):
                    m.d.sync += error.eq(self.marks.payload.error)
            with m.State("read"):
                m.d.comb += scores.read_addr.eq(sent)
                m.next = "send"
            with m.State("send"):
                m.d.comb += [
                    scores.read_addr.eq(sent),
                    self.results.valid.eq(1),
                    self.results.payload.score.eq(score),
                ]
                with m.If(self.results.ready):
                    with m.If((sent == 0) | (score > best)):
                        m.d.sync += [best.eq(score), best_class.eq(sent)]
                    m.d.sync += sent.eq(sent + 1)
                    m.next = "read"
                    with m.If(sent == self._classes - 1):
                        m.next = "decide"
            with m.State("decide"):
                m.d.comb += [
                    self.results.valid.eq(1),
                    self.results.payload.score.eq(best_class),
                    self.results.payload.last.eq(1),
                    self.results.payload.error.eq(error),
                ]
                with m.If(self.results.ready):
                    m.d.sync += sending.eq(0)
                    m.next = "sum"
        return m

    def _of_lane(self, index: Signal) -> Any:
        """What the lane of a class read."""
        if self._lanes == 1:
            return self.states[0].read_data
        return Array(state.read_data for state in self.states)[index[: self._lane_bits]]
