"""End of a step: compare, fire, reset, leak, and add the bias of the next step."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import LayerImage, signed_bits, unsigned_bits

from .arithmetic import leak
from .lane import StatePort
from .layouts import MARK, bit_row
from .rom import Rom


class NeuronUpdate(wiring.Component):
    """Sweeps the neurons of a layer, a row (one neuron of every lane) a cycle.

    The state memory holds what the step starts from, leak and bias included, so that synapses add straight to it and
    one sweep both ends a step and begins the next::

        spike = state >= threshold
        v = 0 (hard) or state - threshold (soft) where spike, else state
        state = ((v * multiplier) >> shift) + bias         # bias alone after the last step of a sample

    A sweep starts in the cycle after a mark waits, all lanes are done, the serializer is empty and no row of the sweep
    before is still under way. The mark is taken as the last row is read. Rows that fired leave three cycles after
    they were read, the mark follows the last row, and a state is written back four cycles after it was read.
    After reset, one sweep sets all states to the bias.

    Parameters
    ----------
    image : LayerImage
    state_bits : int
    name : str
        Prefix of the memory image `<name>_neurons`: a word per row, lane 0 in the low bits, `threshold` below `bias`.

    Members
    -------
    marks : In(stream.Signature(MARK))
    start : In(1)
        The lanes have added all events of the step, and the spikes of the step before have left.
    states : Out(StatePort(...)).array(lanes)
    spikes : Out(stream.Signature(bit_row(...)))
        Must be ready whenever `start` was given.
    trace : Out
        `valid`, `row`, `spikes` (a bit per lane) and `v` (after the reset, lane 0 first) of every row of every step.
    initializing : Out(1)
        The states are not set yet: nothing may be added.
    """

    def __init__(self, image: LayerImage, *, state_bits: int, name: str) -> None:
        spec = image.spec
        assert spec.threshold is not None
        self._spec = spec
        self._rows = image.rows
        self._lanes = image.lanes
        self._state_bits = state_bits
        bias_bits = signed_bits(int(spec.bias.min()), int(spec.bias.max()))
        self._neuron = data.StructLayout(
            {"threshold": unsigned_bits(int(spec.threshold.max())), "bias": signed(bias_bits)}
        )
        # A position without a neuron has no synapses and no bias: a threshold of 1 keeps it silent.
        grid = zip(image.by_position(spec.threshold, 1), image.by_position(spec.bias, 0), strict=True)
        words = [
            sum(
                self._neuron.const({"threshold": int(threshold), "bias": int(bias)}).as_bits()
                << lane * self._neuron.size
                for lane, (threshold, bias) in enumerate(zip(thresholds, biases, strict=True))
            )
            for thresholds, biases in grid
        ]
        self.rom = Rom(name=f"{name}_neurons", width=self._neuron.size * self._lanes, words=words)
        self._row = bit_row(self._rows, self._lanes)
        super().__init__(
            {
                "marks": In(stream.Signature(MARK)),
                "start": In(1),
                "states": Out(StatePort(self._rows, state_bits)).array(self._lanes),
                "spikes": Out(stream.Signature(self._row)),
                "trace": Out(
                    wiring.Signature(
                        {
                            "valid": Out(1),
                            "row": Out(unsigned_bits(self._rows - 1)),
                            "spikes": Out(self._lanes),
                            "v": Out(self._lanes * state_bits),
                        }
                    )
                ),
                "initializing": Out(1, init=1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        lanes = range(self._lanes)

        # Read, one row a cycle.
        row = Signal(unsigned_bits(self._rows - 1))
        sweeping = Signal(init=1)
        at_end = Signal()
        under_way = Signal(4)  # rows in the stages below
        m.d.comb += at_end.eq(row == self._rows - 1)
        with m.If(sweeping):
            m.d.sync += row.eq(Mux(at_end, 0, row + 1))
            with m.If(at_end):
                m.d.sync += [sweeping.eq(0), self.initializing.eq(0)]
        with m.Elif(self.marks.valid & self.start & (under_way == 0)):
            m.d.sync += sweeping.eq(1)
        m.d.comb += [
            self.marks.ready.eq(sweeping & at_end & ~self.initializing),
            rom.addr.eq(row),
            rom.en.eq(1),
        ]
        m.d.sync += under_way.eq(Cat(sweeping, under_way))
        for state in self.states:
            m.d.comb += [state.read_en.eq(sweeping), state.read_addr.eq(row)]
        rows = [Signal.like(row, name=f"row{k}") for k in range(4)]
        at_ends = [Signal(name=f"at_end{k}") for k in range(4)]
        marks = [Signal(MARK, name=f"mark{k}") for k in range(4)]
        silent = [Signal(name=f"silent{k}") for k in range(3)]
        for k in range(4):
            m.d.sync += [
                rows[k].eq(rows[k - 1] if k else row),
                at_ends[k].eq(at_ends[k - 1] if k else at_end & self.marks.ready),
                marks[k].eq(marks[k - 1] if k else self.marks.payload),
            ]
        for k in range(3):
            m.d.sync += silent[k].eq(silent[k - 1] if k else self.initializing)

        # Register what the memories gave.
        neuron = data.ArrayLayout(self._neuron, self._lanes)
        neurons = Signal(neuron)
        m.d.sync += neurons.eq(rom.data)
        value = signed(self._state_bits)
        states = [Signal(value, name=f"state{lane}") for lane in lanes]
        m.d.sync += [states[lane].eq(self.states[lane].read_data) for lane in lanes]

        # Compare, fire and reset.
        fired = Signal(self._lanes)
        biases = [Signal(self._neuron["bias"].shape, name=f"bias{lane}") for lane in lanes]
        v = [Signal(value, name=f"v{lane}") for lane in lanes]
        for lane in lanes:
            threshold = neurons[lane].threshold
            fires = Signal(name=f"fires{lane}")
            m.d.comb += fires.eq((states[lane] >= threshold) & ~silent[1])
            after_reset = states[lane] - threshold if self._spec.reset == "soft" else 0
            m.d.sync += [
                fired[lane].eq(fires),
                biases[lane].eq(neurons[lane].bias),
                v[lane].eq(Mux(fires, after_reset, states[lane])),
            ]

        # Send the spikes; leak and add the bias.
        next_state = [Signal(value, name=f"next{lane}") for lane in lanes]
        for lane in lanes:
            forget = silent[2] | marks[2].last
            m.d.sync += next_state[lane].eq(Mux(forget, 0, leak(v[lane], self._spec.decay)) + biases[lane])
        m.d.comb += [
            self.trace.valid.eq(under_way[2] & ~silent[2]),
            self.trace.row.eq(rows[2]),
            self.trace.spikes.eq(fired),
            self.trace.v.eq(Cat(v)),
        ]
        with m.If(at_ends[3]):
            m.d.comb += [
                self.spikes.valid.eq(1),
                self.spikes.payload.mark.eq(1),
                self.spikes.payload.last.eq(marks[3].last),
                self.spikes.payload.error.eq(marks[3].error),
            ]
        with m.Else():
            m.d.comb += [
                self.spikes.valid.eq(self.trace.valid & fired.any()),
                self.spikes.payload.index.eq(rows[2]),
                self.spikes.payload.bits.eq(fired),
            ]

        # Write back.
        for lane, state in enumerate(self.states):
            m.d.comb += [
                state.write_en.eq(under_way[3]),
                state.write_addr.eq(rows[3]),
                state.write_data.eq(next_state[lane]),
            ]
        return m
