"""A lane of the slotted engine: the synapses, sums and updates of a few neurons."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.decision import DECISIONS, Decision
from spikewright.contract.slots import SlotImage

from .constants import Carrying, clipped, floor_of, stored_words, word_layout
from .layouts import delayed
from .neuron import INTEGRATOR, neuron_logic
from .ram import Ram
from .rom import Rom
from .slot_memory import BROADCAST_LATENCY, LocalCopy, registered
from .slot_sums import SlotSums, slot_read
from .update import membrane_and_bit, with_bit


class SlotUpdate(wiring.Component):
    """Updates the neurons of a lane, one a cycle, from the sums of a step; see `NeuronUpdate` for what it computes.

    The membrane of the first row is traced `LATENCY` cycles after the mark, and the others follow. Steps are at least
    `LEAST` cycles apart, as the first row must be written before it is read again.

    Parameters
    ----------
    slots : SlotImage
    lane : int
    state_bits : int
    sum_bits : int
    score_bits : int
        Of a read-out, 0 for others.
    name : str
        Prefix of the memory image `<name>_neurons<lane>`: a word per row, see `LayerImage.constants`.
    decision : Decision
        Of a read-out.

    Members
    -------
    mark, last : In(1)
        A step is complete; the row 0 is in `sum` in the cycle after. `last` ends a sample.
    sum : In(signed(sum_bits))
    done : Out(1)
        A row of neurons has been updated: `row`, `v` (after the reset) and, but for a read-out, `spike`.
    score_row, score : In, Out
        Only of a read-out. A row, and in the cycle after its score, while nothing is updated.
    """

    LATENCY = 4
    LEAST = 6

    def __init__(
        self,
        slots: SlotImage,
        *,
        lane: int,
        state_bits: int,
        sum_bits: int,
        score_bits: int,
        name: str,
        decision: Decision,
    ) -> None:
        image = slots.image
        spec = image.spec
        self._image = image
        self._state_bits = state_bits
        self._score_bits = score_bits
        self._neuron = word_layout([image])
        words = stored_words(self._neuron, image, lane)
        self._bit = int(spec.remembers)
        self._decision = decision
        self.rom = Rom(name=f"{name}_neurons{lane}", width=self._neuron.size, words=words)
        more = {"score_row": In(image.row_bits), "score": Out(signed(score_bits))} if score_bits else {"spike": Out(1)}
        super().__init__(
            {
                "mark": In(1),
                "last": In(1),
                "sum": In(signed(sum_bits)),
                "done": Out(1),
                "row": Out(image.row_bits),
                "v": Out(signed(state_bits)),
                **more,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        m.submodules.states = states = Ram(width=self._state_bits + self._bit, depth=self._image.rows)
        spec = self._image.spec
        value = signed(self._state_bits)
        reads, rows, firsts = self._count(m)

        # What the step starts from, and what it added.
        u = Signal(value)
        m.d.comb += [rom.addr.eq(rows[0]), rom.en.eq(1), states.read_addr.eq(rows[0]), states.read_en.eq(1)]
        word = Mux(firsts[0], self._neuron(rom.data).bias.shift_left(self._bit), states.read_data.as_signed())
        before = membrane_and_bit(m, word, u, self._bit, lambda start: start + self.sum.shift_left(spec.weight_shift))
        constants = Signal(self._neuron)
        m.d.sync += constants.eq(rom.data)

        # Compare.
        logic = INTEGRATOR if spec.readout else neuron_logic(spec.neuron)
        threshold = 0 if spec.readout else constants.threshold
        fires, fired = Signal(), Signal()
        added = Value.cast(logic.added(fires, threshold, constants.bias))
        at_rest = logic.at_rest(u, threshold, before)
        if spec.floor is not None:
            at_rest = clipped(at_rest, floor_of(constants))
        rest, spiked = Signal(value), Signal(value)
        m.d.comb += fires.eq(logic.fires(u, threshold, before))
        m.d.sync += [fired.eq(fires), rest.eq(at_rest), spiked.eq(logic.after_spike(u, threshold))]
        keep = registered(m, Value.cast(logic.remembered(u, threshold, before)), name="keep") if self._bit else 0
        compared = Signal(self._neuron)
        m.d.sync += compared.eq(constants)

        # Reset, in a cycle of its own: synthesis makes a hard one the reset of the registers, which lie far apart.
        bias = delayed(m, added, 2, name="bias")[-1]
        m.d.sync += self.v.eq(Mux(fired, spiked, rest))
        if not spec.readout:
            m.d.sync += self.spike.eq(fired)

        # Leak and add the bias.
        next_state = Signal(self._state_bits + self._bit)
        carried = Carrying(m, compared).leaked(spec, self.v, bias)
        m.d.sync += next_state.eq(with_bit(m, carried, keep, self._bit))
        m.d.comb += [
            self.done.eq(reads[4]),
            self.row.eq(rows[4]),
            states.write_en.eq(reads[5]),
            states.write_addr.eq(rows[5]),
            states.write_data.eq(next_state),
        ]
        if spec.readout:
            self._add_scores(m, reads, rows, firsts)
        return m

    def _count(self, m: Module) -> tuple[list[Any], list[Any], list[Any]]:
        """Whether and which row is read, now and some cycles ago; whether it is of the first step of a sample."""
        last_row = self._image.rows - 1
        row = Signal(self._image.row_bits)
        running = Signal()
        read = Signal()
        fresh = Signal(init=1)
        first = Signal()
        m.d.comb += read.eq(self.mark | running)
        with m.If(self.mark):
            m.d.sync += [running.eq(last_row > 0), first.eq(fresh), fresh.eq(self.last)]
            m.d.sync += row.eq(min(1, last_row))
        with m.Elif(running):
            m.d.sync += [row.eq(Mux(row == last_row, 0, row + 1)), running.eq(row != last_row)]
        return delayed(m, read, 5, name="read"), delayed(m, row, 5, name="row"), delayed(m, first, 3, name="first")

    def _add_scores(self, m: Module, reads: list[Any], rows: list[Any], firsts: list[Any]) -> None:
        m.submodules.scores = scores = Ram(width=self._score_bits, depth=self._image.rows)
        m.d.comb += [
            scores.read_en.eq(1),
            scores.read_addr.eq(Mux(reads[3], rows[3], self.score_row)),
            self.score.eq(scores.read_data),
            scores.write_en.eq(reads[4]),
            scores.write_addr.eq(rows[4]),
            scores.write_data.eq(self._decision.grown(Mux, firsts[3], scores.read_data.as_signed(), self.v)),
        ]


class SlotDelay(wiring.Component):
    """Spikes of the neurons of a lane, kept until they arrive: see `SlotRing` for when they are asked for.

    Parameters
    ----------
    slots : SlotImage
        Of a recurrent layer.
    lane : int
    name : str
        Prefix of the memory image `<name>_delays<lane>`: the delay of the neuron in a row.

    Members
    -------
    done, spike : In(1)
        The neurons of a step, row by row, all of them.
    row : In(range(rows))
    step : In(range(steps kept))
        Of the spikes that were last fired, were the delay 0.
    age : In(range(steps kept + 1))
        Steps of the sample before the one that is asked for, at most.
    bit : Out(1)
        `LATENCY` cycles after `row`: whether a spike of the neuron in that row arrives.
    """

    LATENCY = 4

    def __init__(self, slots: SlotImage, *, lane: int, name: str) -> None:
        image = slots.image
        assert image.spec.delays is not None
        self._image = image
        self._step_bits = slots.kept_bits
        delays = image.by_position(image.spec.delays, 0)[:, lane].tolist()
        self.rom = Rom(name=f"{name}_delays{lane}", width=self._step_bits, words=delays)
        super().__init__(
            {
                "done": In(1),
                "spike": In(1),
                "row": In(image.row_bits),
                "step": In(self._step_bits),
                "age": In(self._step_bits + 1),
                "bit": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = self._image.rows
        m.submodules.rom = rom = self.rom
        m.submodules.ring = ring = Ram(width=rows, depth=1 << self._step_bits)

        # A word is a step: it is written when its last neuron has been updated.
        gathered = Signal(rows)
        count = Signal(self._image.row_bits)
        write = Signal(self._step_bits)
        with m.If(self.done):
            m.d.sync += [
                gathered.eq((gathered >> 1 if rows > 1 else 0) | self.spike << (rows - 1)),
                count.eq(Mux(count == rows - 1, 0, count + 1)),
            ]
        complete = registered(m, self.done & (count == rows - 1), name="complete")
        m.d.comb += [ring.write_en.eq(complete), ring.write_addr.eq(write), ring.write_data.eq(gathered)]
        with m.If(complete):
            m.d.sync += write.eq(write + 1)

        asked = delayed(m, self.row, 3, name="row")
        steps = delayed(m, self.step, 1, name="step")
        ages = delayed(m, self.age, 1, name="age")
        delay = rom.data
        m.d.comb += [rom.en.eq(1), rom.addr.eq(self.row), ring.read_en.eq(1)]
        m.d.sync += ring.read_addr.eq(steps[1] - delay)
        exists = delayed(m, delay < ages[1], 2, name="exists")
        m.d.sync += self.bit.eq(ring.read_data.bit_select(asked[3], 1) & exists[2])
        return m


class SlotLane(wiring.Component):
    """A lane: what it is told goes through registers of its own, and everything else in it stays there.

    Parameters
    ----------
    slots : SlotImage
    lane : int
    state_bits : int
    score_bits : int
        Of a read-out, 0 for others.
    name : str
        Prefix of the memory images.
    decision : Decision
        Of a read-out.

    Members
    -------
    read : In(slot_read(slots))
    v, spike, score_row, score
        See `SlotUpdate`.
    ask_row, ask_step, ask_age, bit
        See `SlotDelay`, one cycle later; only where the layer is recurrent.
    """

    def __init__(
        self,
        slots: SlotImage,
        *,
        lane: int,
        state_bits: int,
        score_bits: int,
        name: str,
        decision: Decision = DECISIONS["sum"],
    ) -> None:
        self._slots = slots
        self.sums = SlotSums(slots, lane=lane, name=name)
        self.update = SlotUpdate(
            slots,
            lane=lane,
            state_bits=state_bits,
            sum_bits=len(self.sums.sum),
            score_bits=score_bits,
            name=name,
            decision=decision,
        )
        ports = self.update.signature.members
        self._outputs = [port for port in ("v", "spike", "score") if port in ports]
        members = {port: Out(ports[port].shape) for port in self._outputs}
        if score_bits:
            members["score_row"] = In(ports["score_row"].shape)
        self.delay = None
        if slots.image.spec.recurrent:
            self.delay = SlotDelay(slots, lane=lane, name=name)
            asked = self.delay.signature.members
            members |= {f"ask_{port}": In(asked[port].shape) for port in ("row", "step", "age")}
            members["bit"] = Out(1)
        super().__init__({"read": In(slot_read(slots)), **members})

    @staticmethod
    def latency(slots: SlotImage) -> int:
        """From the cycle in which `read` has a mark to the one in which the first row is `done`."""
        return BROADCAST_LATENCY + SlotSums.latency(slots) + SlotUpdate.LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.sums = sums = self.sums
        m.submodules.update = update = self.update
        m.submodules.copy = copy = LocalCopy(slot_read(self._slots).size)
        # Copies know of no reset: in the first cycles after one, they are of the time before.
        quiet = Signal(BROADCAST_LATENCY, init=(1 << BROADCAST_LATENCY) - 1)
        told = slot_read(self._slots)(copy.o)
        m.d.sync += quiet.eq(quiet >> 1)
        m.d.comb += [
            copy.i.eq(self.read),
            sums.read.eq(copy.o),
            sums.read.mark.eq(told.mark & ~quiet[0]),
            sums.read.valid.eq(told.valid & (~quiet[0]).replicate(len(told.valid))),
            update.mark.eq(sums.taken),
            update.last.eq(sums.last),
            update.sum.eq(sums.sum),
            *(getattr(self, port).eq(getattr(update, port)) for port in self._outputs),
        ]
        if "score" in self._outputs:
            m.d.comb += update.score_row.eq(self.score_row)
        if self.delay is not None:
            m.submodules.delay = delay = self.delay
            asked = [(port, getattr(self, f"ask_{port}")) for port in ("row", "step", "age")]
            m.submodules.asked = near = LocalCopy(sum(len(value) for _, value in asked))
            m.d.comb += [delay.done.eq(update.done), delay.spike.eq(update.spike), self.bit.eq(delay.bit)]
            low = 0
            for port, value in asked:
                m.d.comb += [
                    near.i[low : low + len(value)].eq(value),
                    getattr(delay, port).eq(near.o[low : low + len(value)]),
                ]
                low += len(value)
        return m
