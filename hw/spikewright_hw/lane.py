"""A lane: walks rows of synapses and adds them to the membranes of its neurons."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import LayerImage, unsigned_bits

from .layouts import row
from .queue import Queue
from .ram import Ram
from .rom import Rom


class StatePort(wiring.Signature):
    """Access of the end-of-step sweep to the membranes of a lane, as seen by the sweep.

    `read_data` follows `read_addr` by one cycle while `read_en`; a write is seen by reads of the following cycle.
    """

    def __init__(self, rows: int, state_bits: int) -> None:
        row_bits = unsigned_bits(rows - 1)
        super().__init__(
            {
                "read_en": Out(1),
                "read_addr": Out(row_bits),
                "read_data": In(signed(state_bits)),
                "write_en": Out(1),
                "write_addr": Out(row_bits),
                "write_data": Out(signed(state_bits)),
            }
        )


class Lane(wiring.Component):
    """Synapse memory and membranes of the neurons of one lane.

    Rows wait in a queue; a row of n synapses takes n cycles, without a gap between rows. A synapse is added to its
    membrane in the third cycle after its address was issued: read synapse, read membrane and multiply, add.

    Parameters
    ----------
    image : LayerImage
    lane : int
    state_bits : int
        Width of a membrane.
    queue_depth : int
        Rows that wait.
    name : str
        Prefix of the memory image `<name>_synapses<lane>`: a word per synapse, the neuron's row in the low bits, the
        weight (two's complement) above.

    Members
    -------
    rows : In(stream.Signature(row(...)))
    state : In(StatePort(...))
        Only used while not `busy`.
    busy : Out(1)
        A row waits, or a synapse is on its way to the membranes.
    """

    def __init__(self, image: LayerImage, *, lane: int, state_bits: int, queue_depth: int, name: str) -> None:
        spec = image.spec
        self._rows = image.rows
        self._spec = spec
        self._state_bits = state_bits
        self._row = row(image.start_bits, image.length_bits, spec.value_bits)
        self._synapse = data.StructLayout({"row": image.row_bits, "weight": signed(spec.weight_bits)})
        self._queue_depth = queue_depth
        mask = (1 << spec.weight_bits) - 1
        words = [
            index | (weight & mask) << image.row_bits
            for index, weight in zip(image.indices[lane].tolist(), image.data[lane].tolist(), strict=True)
        ]
        self.rom = Rom(name=f"{name}_synapses{lane}", width=self._synapse.size, words=words)
        super().__init__(
            {
                "rows": In(stream.Signature(self._row)),
                "state": In(StatePort(image.rows, state_bits)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = Queue(self._row, depth=self._queue_depth)
        m.submodules.rom = rom = self.rom
        m.submodules.membranes = membranes = Ram(width=self._state_bits, depth=self._rows)
        wiring.connect(m, wiring.flipped(self.rows), queue.i)

        # Issue: one synapse address a cycle, the next row in the cycle of the last address of this one.
        address = Signal(self._row["start"].shape)
        remaining = Signal(self._row["length"].shape)
        value = Signal(self._spec.value_bits)
        issue = Signal()
        m.d.comb += [issue.eq(remaining != 0), queue.o.ready.eq(remaining <= 1), rom.addr.eq(address), rom.en.eq(1)]
        with m.If(queue.o.ready):
            m.d.sync += [
                address.eq(queue.o.payload.start),
                remaining.eq(Mux(queue.o.valid, queue.o.payload.length, 0)),
                value.eq(queue.o.payload.value),
            ]
        with m.Else():
            m.d.sync += [address.eq(address + 1), remaining.eq(remaining - 1)]

        # Fetch: the synapse leaves the memory and is registered.
        fetched = Signal()
        fetched_value = Signal.like(value)
        m.d.sync += [fetched.eq(issue), fetched_value.eq(value)]

        # Multiply, while the membrane is read.
        multiply = Signal()
        multiply_value = Signal.like(value)
        synapse = Signal(self._synapse)
        m.d.sync += [multiply.eq(fetched), multiply_value.eq(fetched_value), synapse.eq(rom.data)]
        product = synapse.weight * multiply_value if len(value) > 1 else synapse.weight

        # Add. The membrane that the synapse just ahead writes in this cycle is not yet seen by the read of the
        # multiply stage, so the sum is handed over directly.
        add = Signal()
        add_row = Signal.like(synapse.row)
        add_product = Signal.like(product)
        same = Signal()
        total = Signal(signed(self._state_bits))
        previous = Signal.like(total)
        m.d.sync += [
            add.eq(multiply),
            add_row.eq(synapse.row),
            add_product.eq(product),
            same.eq(add & (add_row == synapse.row)),
            previous.eq(total),
        ]
        m.d.comb += [
            total.eq(
                Mux(same, previous, membranes.read_data.as_signed()) + add_product.shift_left(self._spec.weight_shift)
            ),
            membranes.read_en.eq(1),
            membranes.read_addr.eq(Mux(self.state.read_en, self.state.read_addr, synapse.row)),
            membranes.write_en.eq(add | self.state.write_en),
            membranes.write_addr.eq(Mux(self.state.write_en, self.state.write_addr, add_row)),
            membranes.write_data.eq(Mux(self.state.write_en, self.state.write_data, total)),
            self.state.read_data.eq(membranes.read_data),
            self.busy.eq(queue.o.valid | issue | fetched | multiply | add),
        ]
        return m
