"""End of a step in a lane that layers take turns on, the read-out among them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.cores import SharedCore
from spikewright.contract.integers import unsigned_bits

from .constants import Carrying, CarryingCurrent, clipped, floor_of, stored_words, word_layout
from .currents import Membranes
from .layouts import by_layer, delayed, of_layer
from .neuron import INTEGRATOR, neuron_logic
from .ram import Ram
from .rom import Rom
from .update import membrane_and_bit, update_ports, with_bit


def engine_address(core: SharedCore, layer: Any, row: Any) -> Any:
    """The address of a row of a layer in the memories of the engine."""
    return row | by_layer(layer, core.row_bases)


class SharedUpdate(wiring.Component):
    """Updates the neurons of one lane, one a cycle, by the rules of the layer they belong to.

    Those of `NeuronUpdate` and, in the last layer, of `ReadoutUpdate`, at the same latencies. Leak and reset are
    selected only where layers differ in them.

    Parameters
    ----------
    core : SharedCore
        With an engine.
    lane : int
    state_bits, membrane_bits : int
        Of the widest layer.
    score_bits : int
    name : str
        Prefix of the memory image `<name>_neurons<lane>`: a word per row, see `LayerImage.constants`; the rows of a
        layer begin at `SharedCore.row_bases`.

    Members
    -------
    layer : In(range(layers))
        With `read`: whose neuron is in `row`.
    write_row : Out
        In the memories of the engine.
    others
        See `NeuronUpdate` and `ReadoutUpdate`.
    """

    def __init__(
        self, core: SharedCore, *, lane: int, state_bits: int, membrane_bits: int, score_bits: int, name: str
    ) -> None:
        self._core = core
        self._membrane_bits = membrane_bits
        self._score_bits = score_bits
        self.membranes = None
        if core.with_currents:
            self.membranes = Membranes(depth=core.engine_rows, state_bits=state_bits, membrane_bits=membrane_bits)
        self._specs = [image.spec for image in core.layers]
        self._current_decays = [spec.current_decay for spec in self._specs]
        capacity = core.engine.capacity
        self._neuron = word_layout(core.layers, capacity, threshold=1)
        words = [0] * core.engine_rows
        for base, image in zip(core.row_bases, core.layers, strict=True):
            words[base : base + image.rows] = stored_words(self._neuron, image, lane)
        self.rom = Rom(
            name=f"{name}_neurons{lane}",
            width=self._neuron.size,
            words=words,
            capacity=len(words) if capacity else None,
        )
        row_bits = core.engine.row_bits
        self._bit = core.kept_bits(0)
        super().__init__(
            {
                **update_ports(core.engine, state_bits, self._bit, membrane_bits),
                "layer": In(range(len(core.layers))),
                "write_row": Out(unsigned_bits(core.engine_rows - 1)),
                "spike": Out(max(spec.count_bits for spec in self._specs)),
                "score_row": In(row_bits),
                "score": Out(signed(score_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        m.submodules.scores = scores = Ram(width=self._score_bits, depth=self._core.layers[-1].rows)
        reads = delayed(m, self.read, 4, name="read")
        rows = delayed(m, self.row, 4, name="row")
        layers = delayed(m, self.layer, 4, name="layer")
        lasts = delayed(m, self.last, 3, name="last")
        value = signed(self._membrane_bits)
        readout = len(self._specs) - 1

        # Register what the memories gave.
        neuron = Signal(self._neuron)
        state = Signal(value)
        address = engine_address(self._core, self.layer, self.row)
        m.d.comb += [rom.addr.eq(address), rom.en.eq(1)]
        m.d.sync += neuron.eq(rom.data)
        before = membrane_and_bit(m, self.state, state, self._bit, lambda word: self._charged(m, address, word))

        # Compare, fire and reset; read the score.
        fires = Signal()
        rules = [neuron_logic(spec.neuron) for spec in self._specs[:-1]] or [INTEGRATOR]
        fired = of_layer(layers[2], rules, lambda rule: rule.fires(state, neuron.threshold, before))
        after_spike = of_layer(layers[2], rules, lambda rule: rule.after_spike(state, neuron.threshold))
        at_rest = of_layer(layers[2], [*rules, INTEGRATOR], lambda rule: rule.at_rest(state, neuron.threshold, before))
        floors = [int(spec.floor is not None) for spec in self._specs]
        if any(floors):
            at_rest = Mux(by_layer(layers[2], floors), clipped(at_rest, floor_of(neuron)), at_rest)
        # One object of each kind, so that rules are seen to add the same. A bias is the current's where there is one.
        biases = neuron.bias, Const(0, signed(1))
        biased = [(rule, decay is not None) for rule, decay in zip(rules, self._current_decays, strict=False)]
        if self.membranes is not None:
            biased.append((INTEGRATOR, self._current_decays[-1] is not None))
        added = Value.cast(
            of_layer(
                layers[2], biased, lambda rule: rule[0].added(fires & ~lasts[2], neuron.threshold, biases[rule[1]])
            )
        )
        bias = Signal(added.shape())
        m.d.comb += [
            fires.eq((layers[2] != readout) & fired),
            scores.read_en.eq(1),
            scores.read_addr.eq(Mux(reads[2], rows[2], self.score_row)),
            self.score.eq(scores.read_data),
        ]
        m.d.sync += [
            self.spike.eq(of_layer(layers[2], rules, lambda rule: rule.spikes(state, neuron.threshold, fires))),
            bias.eq(added),
            self.v.eq(Mux(fires, after_spike, at_rest)),
        ]

        # Leak and add the bias; add to the score.
        carrying = Carrying(m, neuron)
        kept = carrying.begins(lasts[3], self.v)
        like = {(spec.decay, spec.multipliers is None): spec for spec in self._specs}
        leaks = [(spec.decay, spec.multipliers is None) for spec in self._specs]
        state_after = of_layer(layers[3], leaks, lambda key: carrying.leaked(like[key], kept, bias))
        keep: Any = 0
        if self._bit:
            keep = of_layer(
                layers[2], [*rules, INTEGRATOR], lambda rule: rule.remembered(state, neuron.threshold, before)
            )
            keep &= ~lasts[2]
        state_after = self._carried(m, layers[3], lasts[3], neuron, state_after)
        m.d.sync += self.next_state.eq(with_bit(m, state_after, keep, self._bit))
        first = Signal(init=1)
        grown = self._core.network.decision.grown
        m.d.comb += [
            scores.write_en.eq(reads[3] & (layers[3] == readout)),
            scores.write_addr.eq(rows[3]),
            scores.write_data.eq(grown(Mux, first, scores.read_data.as_signed(), self.v)),
            self.done.eq(reads[3]),
            self.done_row.eq(rows[3]),
            self.write.eq(reads[4]),
            self.write_row.eq(engine_address(self._core, layers[4], rows[4])),
        ]
        with m.If(scores.write_en & (rows[3] == self._core.layers[-1].rows - 1)):
            m.d.sync += first.eq(lasts[3])
        return m

    def _charged(self, m: Module, address: Any, state: Any) -> Any:
        """The membrane that is compared, one cycle after `read`, of the state without the bit that is kept."""
        if self.membranes is None:
            return state
        m.submodules.membranes = membranes = self.membranes
        m.d.comb += [membranes.addr.eq(address), membranes.current.eq(state)]
        return membranes.charged

    def _carried(self, m: Module, layer: Any, last: Any, neuron: data.View[data.StructLayout], carried: Any) -> Any:
        """The next state, given what the membrane carries over, three cycles after `read`."""
        if self.membranes is None:
            return carried
        membranes = self.membranes
        bias = Signal(neuron.bias.shape())
        carrying = CarryingCurrent(m, neuron)
        current = carrying.begins(last, membranes.current_before)
        # A layer without currents has membranes of 0 here: they add nothing to those that its events are added to.
        like = {
            (spec.current_decay, spec.current_multipliers is None): spec for spec in self._specs if spec.current_decay
        }
        some = next(iter(like))
        keys = ((spec.current_decay, spec.current_multipliers is None) for spec in self._specs)
        filled = [key if key in like else some for key in keys]
        has_current = by_layer(layer, [int(decay is not None) for decay in self._current_decays])
        m.d.sync += bias.eq(neuron.bias)
        m.d.comb += [
            membranes.carried.eq(Mux(has_current, carried, 0)),
            membranes.write.eq(self.write),
            membranes.write_addr.eq(self.write_row),
        ]
        return Mux(has_current, of_layer(layer, filled, lambda key: carrying.leaked(like[key], current, bias)), carried)
