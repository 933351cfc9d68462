"""End of a step: compare, fire, reset, leak, and add the bias of the next step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.image import LayerImage

from .constants import Carrying, clipped, floor_of, stored_words, word_layout
from .layouts import delayed
from .neuron import neuron_logic
from .rom import Rom


def update_ports(image: LayerImage, state_bits: int, bit: int = 0, membrane_bits: int | None = None) -> dict[str, Any]:
    """What the updates of spiking and read-out lanes have in common, see `NeuronUpdate`; a `bit` may be kept."""
    return {
        "read": In(1),
        "row": In(image.row_bits),
        "last": In(1),
        "state": In(signed(state_bits + bit)),
        "done": Out(1),
        "done_row": Out(image.row_bits),
        "v": Out(signed(membrane_bits or state_bits)),
        "write": Out(1),
        "write_row": Out(image.row_bits),
        "next_state": Out(signed(state_bits + bit)),
    }


def membrane_and_bit(m: Module, word: Any, membrane: Any, bit: int, charged: Callable[[Any], Any]) -> Any:
    """Register what a word of the state memory is: its membrane, and the bit that is returned, a 0 without any.

    `charged` is the membrane of a word without that bit.
    """
    if not bit:
        m.d.sync += membrane.eq(charged(word))
        return 0
    before = Signal()
    m.d.sync += [membrane.eq(charged(word >> bit)), before.eq(word[0])]
    return before


def with_bit(m: Module, membrane: Any, keep: Any, bit: int) -> Any:
    """The word of a membrane and of the bit that was kept in the cycle before."""
    if not bit:
        return membrane
    kept = Signal()
    m.d.sync += kept.eq(keep)
    return membrane.shift_left(bit) | kept


class NeuronUpdate(wiring.Component):
    """Updates the neurons of one lane, one a cycle.

    The state memory holds what the step starts from, leak and bias included, so that synapses add straight to it and
    one sweep both ends a step and begins the next::

        spike = state >= threshold                         # and what is left of it, by the `Neuron` of the layer
        v = after_spike(state) where spike, else at_rest(state), or the floor if that is higher
        state = ((v * multiplier) >> shift) + bias         # after the last step of a sample, with the start for v

    A bit that the neurons keep from step to step is the lowest one of the state.

    Parameters
    ----------
    image : LayerImage
    lane : int
    state_bits : int
        Of a membrane alone.
    name : str
        Prefix of the memory image `<name>_neurons<lane>`: a word per row, see `LayerImage.constants`.
    membrane_bits : int, optional
        Of `v`, if other than those of the state.

    Members
    -------
    read : In(1)
        The membrane of the neuron in `row` is being read. `last` ends the sample: whatever the membrane, the next state
        is the bias.
    state : In(signed(state_bits))
        What was read, one cycle after `read`.
    done : Out(1)
        Three cycles after `read`: `spike` (how many of them where neurons send several in a step) and `v` (after the
        reset) of the neuron in `done_row`.
    write : Out(1)
        Four cycles after `read`: `next_state` of `write_row`.
    """

    def __init__(
        self, image: LayerImage, *, lane: int, state_bits: int, name: str, membrane_bits: int | None = None
    ) -> None:
        self._spec = image.spec
        self._membrane_bits = membrane_bits or state_bits
        self._neuron = word_layout([image])
        self.rom = Rom(
            name=f"{name}_neurons{lane}",
            width=self._neuron.size,
            words=stored_words(self._neuron, image, lane),
            capacity=image.rows if image.capacity else None,
        )
        self._bit = int(image.spec.remembers)
        ports = update_ports(image, state_bits, self._bit, membrane_bits)
        super().__init__({**ports, "spike": Out(image.spec.count_bits)})

    # What differs in neurons with a synaptic current, see `CurrentUpdate`.

    def _charged(self, m: Module, state: Any) -> Any:
        """The membrane that is compared, one cycle after `read`, of the state without the bit that is kept."""
        return state

    def _bias(self, neuron: data.View[data.StructLayout]) -> Any:
        """What is added to the membrane, two cycles after `read`."""
        return neuron.bias

    def _carried(self, m: Module, neuron: data.View[data.StructLayout], carried: Any, last: Signal) -> Any:
        """The next state, given what the membrane carries over, three cycles after `read`.

        `neuron` is one cycle ahead of it.
        """
        return carried

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        reads = delayed(m, self.read, 4, name="read")
        rows = delayed(m, self.row, 4, name="row")
        lasts = delayed(m, self.last, 3, name="last")
        value = signed(self._membrane_bits)

        # Register what the memories gave.
        neuron = Signal(self._neuron)
        state = Signal(value)
        m.d.comb += [rom.addr.eq(self.row), rom.en.eq(1)]
        m.d.sync += neuron.eq(rom.data)
        before = membrane_and_bit(m, self.state, state, self._bit, lambda word: self._charged(m, word))

        # Compare, fire and reset.
        fires = Signal()
        logic = neuron_logic(self._spec.neuron)
        after_spike = logic.after_spike(state, neuron.threshold)
        at_rest = logic.at_rest(state, neuron.threshold, before)
        if self._spec.floor is not None:
            at_rest = clipped(at_rest, floor_of(neuron))
        added = Value.cast(logic.added(fires & ~lasts[2], neuron.threshold, self._bias(neuron)))
        bias = Signal(added.shape())
        m.d.comb += fires.eq(logic.fires(state, neuron.threshold, before))
        m.d.sync += [
            self.spike.eq(logic.spikes(state, neuron.threshold, fires)),
            bias.eq(added),
            self.v.eq(Mux(fires, after_spike, at_rest)),
        ]

        # Leak and add the bias.
        carrying = Carrying(m, neuron)
        carried = carrying.leaked(self._spec, carrying.begins(lasts[3], self.v), bias)
        state_after = self._carried(m, neuron, carried, lasts[3])
        keep = logic.remembered(state, neuron.threshold, before) & ~lasts[2] if self._bit else 0
        m.d.sync += self.next_state.eq(with_bit(m, state_after, keep, self._bit))
        m.d.comb += [
            self.done.eq(reads[3]),
            self.done_row.eq(rows[3]),
            self.write.eq(reads[4]),
            self.write_row.eq(rows[4]),
        ]
        return m
