"""The read-out: leaky integrators that never fire, their scores, and the class decision."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.decision import DECISIONS, Decision
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import unsigned_bits

from .constants import Carrying, clipped, floor_of, stored_words, word_layout
from .layouts import delayed
from .ram import Ram
from .rom import Rom
from .update import update_ports


def result(score_bits: int) -> data.StructLayout:
    """A score, or, with `last`, the class (in the low bits of `score`) and whether the sample had an error."""
    return data.StructLayout({"score": signed(score_bits), "last": 1, "error": 1})


class ReadoutUpdate(wiring.Component):
    """Updates the classes of one lane, one a cycle.

    As for `NeuronUpdate`, whose ports and latencies it has, the state memory holds what the step starts from; here
    every membrane grows the score of its class, as the `Decision` says, and leaks::

        score = score + state                              # or another; state alone in the first step of a sample
        state = ((state * multiplier) >> shift) + bias     # after the last step of a sample, with the start for it

    Where classes have a floor, no step leaves less than that.

    Parameters
    ----------
    image : LayerImage
    lane : int
    state_bits : int
    score_bits : int
    name : str
        Prefix of the memory image `<name>_neurons<lane>`: a word per row, see `LayerImage.constants`.
    decision : Decision
    membrane_bits : int, optional
        Where the state is a synaptic current.

    Members
    -------
    score_row : In(range(rows))
        Only while no membrane is under way.
    score : Out(signed(score_bits))
        Those of the row that was asked for in the cycle before.
    others
        See `NeuronUpdate`; no `spike`.
    """

    def __init__(
        self,
        image: LayerImage,
        *,
        lane: int,
        state_bits: int,
        score_bits: int,
        name: str,
        decision: Decision = DECISIONS["sum"],
        membrane_bits: int | None = None,
    ) -> None:
        self._spec = image.spec
        self._membrane_bits = membrane_bits or state_bits
        self._decision = decision
        self._rows = image.rows
        self._score_bits = score_bits
        self._neuron = word_layout([image])
        self.rom = Rom(
            name=f"{name}_neurons{lane}",
            width=self._neuron.size,
            words=stored_words(self._neuron, image, lane),
            capacity=image.rows if image.capacity else None,
        )
        super().__init__(
            {
                **update_ports(image, state_bits, membrane_bits=membrane_bits),
                "score_row": In(image.row_bits),
                "score": Out(signed(score_bits)),
            }
        )

    # What differs in integrators with a synaptic current, see `CurrentReadoutUpdate`.

    def _charged(self, m: Module, state: Any) -> Any:
        """The membrane, one cycle after `read`."""
        return state

    def _late_bias(self, m: Module, bias: Any) -> Any:
        """What is added to the membrane, three cycles after `read`, from what was read of it two cycles before."""
        biases = [Signal(bias.shape(), name=f"bias{k}") for k in range(2)]
        m.d.sync += [biases[0].eq(bias), biases[1].eq(biases[0])]
        return biases[1]

    def _carried(self, m: Module, neuron: data.View[data.StructLayout], carried: Any, last: Signal) -> Any:
        """The next state, as of `NeuronUpdate`."""
        return carried

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        m.submodules.scores = scores = Ram(width=self._score_bits, depth=self._rows)
        reads = delayed(m, self.read, 4, name="read")
        rows = delayed(m, self.row, 4, name="row")
        lasts = delayed(m, self.last, 3, name="last")
        value = signed(self._membrane_bits)

        # Register what the memories gave, then read the score while the membrane waits.
        state = Signal(value)
        word = data.View(self._neuron, rom.data)
        neuron = Signal(self._neuron)
        left = state if self._spec.floor is None else clipped(state, floor_of(neuron))
        m.d.comb += [rom.addr.eq(self.row), rom.en.eq(1)]
        m.d.sync += [state.eq(self._charged(m, self.state)), self.v.eq(left)]
        bias = self._late_bias(m, word.bias)
        if len(dict(neuron.shape())) > 1 or self._spec.current_decay is not None:
            m.d.sync += neuron.eq(rom.data)
        m.d.comb += [
            scores.read_en.eq(1),
            scores.read_addr.eq(Mux(reads[2], rows[2], self.score_row)),
            self.score.eq(scores.read_data),
        ]

        # Add to the score; leak and add the bias.
        first = Signal(init=1)
        m.d.comb += [
            scores.write_en.eq(reads[3]),
            scores.write_addr.eq(rows[3]),
            scores.write_data.eq(self._decision.grown(Mux, first, scores.read_data.as_signed(), self.v)),
        ]
        with m.If(scores.write_en & (rows[3] == self._rows - 1)):
            m.d.sync += first.eq(lasts[3])
        carrying = Carrying(m, neuron)
        carried = carrying.leaked(self._spec, carrying.begins(lasts[3], self.v), bias)
        m.d.sync += self.next_state.eq(self._carried(m, neuron, carried, lasts[3]))
        m.d.comb += [
            self.done.eq(reads[3]),
            self.done_row.eq(rows[3]),
            self.write.eq(reads[4]),
            self.write_row.eq(rows[4]),
        ]
        return m


class ScoreSender(wiring.Component):
    """Sends the scores of a sample, in the order of the classes, then the class: the lowest of those with the highest
    score.

    The first score is offered two cycles after `start`, and the following ones at most every second cycle.

    Parameters
    ----------
    image : LayerImage
    score_bits : int

    Members
    -------
    start : In(1)
        All scores are complete.
    error : In(1)
        The sample was in error; read in the cycle of `start`.
    row : Out(range(rows))
    scores : In(signed(score_bits)).array(lanes)
        Those of the row that was asked for in the cycle before.
    taken : Out(1)
        The class is taken.
    results : Out(stream.Signature(result(score_bits)))
    """

    def __init__(self, image: LayerImage, *, score_bits: int) -> None:
        self._classes = image.spec.neurons
        self._lanes = image.lanes
        self._score_bits = score_bits
        super().__init__(
            {
                "start": In(1),
                "error": In(1),
                "row": Out(image.row_bits),
                "scores": In(signed(score_bits)).array(image.lanes),
                "taken": Out(1),
                "results": Out(stream.Signature(result(score_bits))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lane_bits = (self._lanes - 1).bit_length()
        error = Signal()
        sent = Signal(unsigned_bits(self._classes - 1))
        best = Signal(signed(self._score_bits))
        best_class = Signal.like(sent)
        score = Signal(signed(self._score_bits))
        # What was sent is compared in the cycle after: the way from the lanes is long enough.
        sent_score = Signal.like(score)
        sent_class = Signal.like(sent)
        compare = Signal()
        better = Signal()
        m.d.comb += better.eq(compare & ((sent_class == 0) | (sent_score > best)))
        m.d.sync += [compare.eq(0), sent_score.eq(score), sent_class.eq(sent)]
        with m.If(better):
            m.d.sync += [best.eq(sent_score), best_class.eq(sent_class)]
        m.d.comb += [
            self.row.eq(sent[lane_bits:]),
            score.eq(Array(self.scores)[sent[:lane_bits]] if lane_bits else self.scores[0]),
        ]
        with m.FSM():
            with m.State("idle"), m.If(self.start):
                m.d.sync += [sent.eq(0), error.eq(self.error)]
                m.next = "read"
            with m.State("read"):
                m.next = "send"
            with m.State("send"):
                m.d.comb += [self.results.valid.eq(1), self.results.payload.score.eq(score)]
                with m.If(self.results.ready):
                    m.d.sync += [compare.eq(1), sent.eq(sent + 1)]
                    m.next = "read"
                    with m.If(sent == self._classes - 1):
                        m.next = "decide"
            with m.State("decide"):
                m.d.comb += [
                    self.results.valid.eq(1),
                    self.results.payload.score.eq(Mux(better, sent_class, best_class)),
                    self.results.payload.last.eq(1),
                    self.results.payload.error.eq(error),
                ]
                with m.If(self.results.ready):
                    m.d.comb += self.taken.eq(1)
                    m.next = "idle"
        return m
