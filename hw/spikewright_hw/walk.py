"""Walks: the addresses of a run's synapses, one a cycle, and the rows of their neurons."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract import found
from spikewright.contract.image import LayerImage


class Walk(wiring.Component):
    """Gives the address of a synapse a cycle, and two cycles later the row of its neuron.

    The first address of a run is out in the cycle after `load`. Nothing is walked after the load of a mark. How the
    memories tell the rows is the `encoding` of the image. A subclass is the only class of its module in
    `spikewright_hw.walks`, and the name of the module is that of its encoding, see `make_walk`.

    Parameters
    ----------
    image : LayerImage

    Members
    -------
    load : In(1)
        Only in a cycle with `last`.
    mark : In(1)
    start : In(start_bits)
    synapses : In(extent_bits)
        Extent of a run, see `layouts.run`.
    busy : Out(1)
        `address` is that of a synapse.
    last : Out(1)
        No synapse of this run follows.
    address : Out(start_bits)
    index : In(index_bits)
        What the memory tells of the synapse whose address was out two cycles ago.
    row : Out(row_bits)
        Row of that synapse's neuron.
    """

    def __init__(self, image: LayerImage) -> None:
        self._image = image
        super().__init__(
            {
                "load": In(1),
                "mark": In(1),
                "start": In(image.start_bits),
                "synapses": In(image.extent_bits),
                "busy": Out(1),
                "last": Out(1),
                "address": Out(image.start_bits),
                "index": In(image.index_bits),
                "row": Out(image.row_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        with m.If(self.load):
            m.d.sync += self.address.eq(self.start)
        with m.Elif(self.busy):
            m.d.sync += self.address.eq(self.address + 1)
        return m


def make_walk(image: LayerImage) -> Walk:
    """That of the encoding of an image."""
    walk: Walk = found.class_in("spikewright_hw.walks", image.encoding, Walk)(image)
    return walk
