"""A lane: walks runs of synapses, adds them to the membranes of its neurons, and sweeps these at the end of a step."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.decision import DECISIONS, Decision
from spikewright.contract.image import LayerImage

from .currents import CurrentReadoutUpdate, CurrentUpdate
from .layouts import MARK, assign_fields, delayed, run
from .ram import Ram, RamQueue, TraceRam
from .readout import ReadoutUpdate
from .rom import Rom
from .rows import RowFetch
from .update import NeuronUpdate
from .walk import make_walk


class _Issued(NamedTuple):
    """What a lane is about to do: add a synapse, `value` times, or sweep a row; `silent` is the sweep after a reset."""

    value: Signal
    sweeping: Signal
    silent: Signal
    row: Signal


class Lane(wiring.Component):
    """Synapse memory, membranes and update of the neurons of one lane.

    Runs and marks wait in a queue. A run of n synapses takes n cycles, without a gap between runs; a mark is followed
    by a sweep, one row a cycle, and `PAUSE` cycles in which its last states reach the memory. Both go through the same
    stages: the synapse is read, its membrane is read while the weight is multiplied, the sum is added; a sweep reads
    the membrane and gives it to the update.

    A lane is ahead of the others by as much as its queue holds, and by a sweep: `started` tells that it has swept, and
    no other mark is taken before `clear`. From the second cycle after `started` on, the results of the sweep can be
    read, a row a cycle, and until four cycles after `clear`; rows read in order are never too late.

    Parameters
    ----------
    image : LayerImage
    lane : int
    state_bits : int
        Width of what synapses add to: a membrane, or a synaptic current.
    membrane_bits : int, optional
        Width of a membrane, if other than that.
    score_bits : int
        Width of a score; only used by a read-out, as is the decision.
    queue_depth : int
        Runs that wait.
    decision : Decision
    name : str
        Prefix of the memory image `<name>_synapses<lane>`: a word per synapse, what tells the neuron's row in the low
        bits (see `Encoding`), the weight (two's complement) above.

    Members
    -------
    runs : In(stream.Signature(run(...), always_ready=True))
    room : Out(1)
        The queue has room for `RowFetch.MARGIN` entries.
    started : Out(1)
        Five cycles after a mark left the queue, and until `clear`.
    clear : In(1)
    flags : Out(MARK)
        Flags of the last mark that left the queue.
    row : In(range(rows))
    spike, v : Out
        What this row was given in the last sweep, one cycle later. A read-out has no `spike`.
    score_row, score : In and Out
        Likewise, of a read-out; only while it does not sweep.
    """

    PAUSE = 4

    def __init__(
        self,
        image: LayerImage,
        *,
        lane: int,
        state_bits: int,
        queue_depth: int,
        name: str,
        score_bits: int = 1,
        decision: Decision = DECISIONS["sum"],
        membrane_bits: int | None = None,
    ) -> None:
        spec = image.spec
        self._rows = self._depth = image.rows
        self._spec = spec
        self._state_bits = state_bits
        self._bit = self._kept_bits()
        self._membrane_bits = membrane_bits or state_bits
        self._run = run(image)
        self._synapse = data.StructLayout({"index": image.index_bits, "weight": signed(spec.weight_bits)})
        self._queue_depth = queue_depth
        self._decision = decision
        mask = (1 << spec.weight_bits) - 1
        words = [
            index | (weight & mask) << image.index_bits
            for index, weight in zip(image.indices[lane].tolist(), image.data[lane].tolist(), strict=True)
        ]
        self.rom = Rom(
            name=f"{name}_synapses{lane}",
            width=self._synapse.size,
            words=words,
            capacity=image.capacity.synapses if image.capacity else None,
        )
        self.walk = make_walk(image)
        self.update = self._make_update(image, lane=lane, state_bits=state_bits, score_bits=score_bits, name=name)
        members = self.update.signature.members
        self._fires, self._scores = "spike" in members, "score" in members
        super().__init__(
            {
                "runs": In(stream.Signature(self._run, always_ready=True)),
                "room": Out(1),
                "started": Out(1),
                "clear": In(1),
                "flags": Out(MARK),
                "row": In(image.row_bits),
                "v": Out(signed(self._membrane_bits)),
                **({"score_row": In(image.row_bits), "score": Out(signed(score_bits))} if self._scores else {}),
                **({"spike": Out(len(self.update.spike))} if self._fires else {}),
            }
        )

    # What differs in a lane that layers take turns on, see `SharedLane`.

    def _make_update(self, image: LayerImage, *, score_bits: int, **options: Any) -> Any:
        """The update of the neurons of the lane."""
        if image.spec.current_decay is not None:
            options["membrane_bits"] = self._membrane_bits
        if image.spec.readout:
            of_readout = ReadoutUpdate if image.spec.current_decay is None else CurrentReadoutUpdate
            return of_readout(image, score_bits=score_bits, decision=self._decision, **options)
        return (NeuronUpdate if image.spec.current_decay is None else CurrentUpdate)(image, **options)

    def _kept_bits(self) -> int:
        """Bits below a membrane in a word of the memory of membranes."""
        return int(self._spec.remembers)

    def _last_row(self) -> Any:
        """The last row of a sweep."""
        return self._rows - 1

    def _end_sweep(self, m: Module, sweeping: Signal, silent: Signal) -> None:
        """In the cycle of the last row."""
        m.d.sync += sweeping.eq(0)

    def _address(self, row: Any) -> Any:
        """The address of a membrane, two cycles after its synapse or row was issued."""
        return row

    def _shifted(self, product: Any) -> Any:
        """What is added to the membrane, three cycles after the synapse was issued."""
        return product.shift_left(self._spec.weight_shift + self._bit)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = RamQueue(self._run, depth=self._queue_depth)
        m.submodules.walk = self.walk
        m.submodules.rom = self.rom
        m.submodules.membranes = membranes = Ram(width=self._state_bits + self._bit, depth=self._depth)
        m.submodules.update = self.update
        m.d.comb += [
            queue.i.valid.eq(self.runs.valid),
            queue.i.payload.eq(self.runs.payload),
            self.room.eq(queue.level <= self._queue_depth - RowFetch.MARGIN),
        ]
        issued = self._issue(m, queue)
        multiply, product = self._multiply(m, issued, membranes)
        self._add(m, multiply, product, membranes)
        self._keep_results(m)
        return m

    def _issue(self, m: Module, queue: RamQueue) -> _Issued:
        """One synapse address or row a cycle, the next entry in the cycle of the last address of this one."""
        walk, rom = self.walk, self.rom
        entry = queue.o.payload
        value = Signal.like(entry.value)
        # After a reset a sweep, of which nobody reads anything, sets all states to what the first step starts from.
        sweeping = Signal(init=1)
        silent = Signal(init=1)
        row = Signal.like(self.row)
        paused = Signal(self.PAUSE - 1)
        load = Signal()
        load_mark = Signal()
        m.d.comb += [
            queue.o.ready.eq(walk.last & ~sweeping & ~paused.any() & ~(entry.mark & self.started)),
            load.eq(queue.o.valid & queue.o.ready),
            load_mark.eq(load & entry.mark),
            walk.load.eq(load),
            walk.mark.eq(entry.mark),
            walk.start.eq(entry.what.run.start),
            walk.synapses.eq(entry.what.run.synapses),
            rom.addr.eq(walk.address),
            rom.en.eq(1),
        ]
        m.d.sync += paused.eq(Cat(sweeping, paused))
        with m.If(load):
            m.d.sync += value.eq(entry.value)
        with m.If(load_mark):
            m.d.sync += [sweeping.eq(1), silent.eq(0), *assign_fields(self.flags, entry.what.flags)]
        with m.Elif(sweeping):
            m.d.sync += row.eq(row + 1)
            with m.If(row == self._last_row()):
                m.d.sync += row.eq(0)
                self._end_sweep(m, sweeping, silent)
        starting = delayed(m, load_mark, 4, name="starting")
        with m.If(starting[-1]):
            m.d.sync += self.started.eq(1)
        with m.Elif(self.clear):
            m.d.sync += self.started.eq(0)
        return _Issued(value, sweeping, silent, row)

    def _multiply(self, m: Module, issued: _Issued, membranes: Ram) -> tuple[Signal, Any]:
        """Fetch the synapse, and multiply while its membrane is read: whether there is one, and the product."""
        walk, update, value = self.walk, self.update, issued.value
        # The synapse leaves the memory and is registered.
        fetched = Signal()
        fetched_value = Signal.like(value)
        m.d.sync += [fetched.eq(walk.busy), fetched_value.eq(value)]

        multiply = Signal()
        multiply_value = Signal.like(value)
        synapse = Signal(self._synapse)
        m.d.sync += [multiply.eq(fetched), multiply_value.eq(fetched_value), synapse.eq(self.rom.data)]
        product = synapse.weight * multiply_value if len(value) else synapse.weight
        swept = delayed(m, issued.sweeping, 2, name="swept")[-1]
        swept_row = delayed(m, issued.row, 2, name="swept_row")[-1]
        m.d.comb += [
            walk.index.eq(synapse.index),
            membranes.read_en.eq(1),
            membranes.read_addr.eq(self._address(Mux(swept, swept_row, walk.row))),
            update.read.eq(swept),
            update.row.eq(swept_row),
            update.last.eq(self.flags.last | issued.silent),
        ]
        return multiply, product

    def _add(self, m: Module, multiply: Signal, product: Any, membranes: Ram) -> None:
        """Add the product, or give the membrane to the update.

        The membrane that the synapse just ahead writes in this cycle is not yet seen by the read of the stage before,
        so the sum is handed over directly.
        """
        update = self.update
        add = Signal()
        add_row = Signal.like(membranes.read_addr)
        add_product = Signal.like(product)
        same = Signal()
        current = Signal(signed(self._state_bits + self._bit))
        total = Signal.like(current)
        previous = Signal.like(current)
        m.d.sync += [
            add.eq(multiply),
            add_row.eq(self._address(self.walk.row)),
            add_product.eq(product),
            same.eq(add & (add_row == membranes.read_addr)),
            previous.eq(total),
        ]
        m.d.comb += [
            current.eq(Mux(same, previous, membranes.read_data.as_signed())),
            total.eq(current + self._shifted(add_product)),
            update.state.eq(current),
            membranes.write_en.eq(add | update.write),
            membranes.write_addr.eq(Mux(update.write, update.write_row, add_row)),
            membranes.write_data.eq(Mux(update.write, update.next_state, total)),
        ]

    def _keep_results(self, m: Module) -> None:
        """Results wait for the other lanes."""
        update = self.update
        m.submodules.trace = trace = TraceRam(width=self._membrane_bits, depth=self._rows)
        results = [(trace, update.v, self.v)]
        if self._scores:
            m.d.comb += [update.score_row.eq(self.score_row), self.score.eq(update.score)]
        if self._fires:
            m.submodules.spikes = spikes = Ram(width=len(self.spike), depth=self._rows)
            results.append((spikes, update.spike, self.spike))
        for memory, written, read in results:
            m.d.comb += [
                memory.write_en.eq(update.done),
                memory.write_addr.eq(update.done_row),
                memory.write_data.eq(written),
                memory.read_en.eq(1),
                memory.read_addr.eq(self.row),
                read.eq(memory.read_data),
            ]
