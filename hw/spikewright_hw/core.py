"""The core: events of samples in, scores and classes out."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.core import CoreSpec
from spikewright.contract.stream import StreamFormat

from .engines import engine_of
from .guard import InputGuard, PairGuard
from .layouts import event, pair
from .loader import Loader, SampleGate, fingerprint
from .reset import ResetRegister, add_parts
from .rom import LoadTarget


class Core(wiring.Component):
    """All layers of a network, at work at once on successive steps, or one after the other on a shared engine.

    Runs sample after sample without a reset. Every join is a stream, so any stall at either end only delays.

    Parameters
    ----------
    spec : CoreSpec

    Members
    -------
    reset : In(1)
        Like that of the clock domain, two cycles later.
    events : In(stream.Signature(event(inputs, value_bits)))
        See `InputGuard` for what is accepted; a `pair` where the core takes two events a beat.
    results : Out(stream.Signature(result(score_bits)))
        Per sample, a score per class, then the class with `last`.
    traces : Out, one per layer as `trace0`, `trace1`, ...
        See `NeuronUpdate` and `ReadoutUpdate`.
    """

    def __init__(self, spec: CoreSpec) -> None:
        self._spec = spec
        network = spec.network
        self.guard = InputGuard(network) if spec.beat_events == 1 else PairGuard(network)
        beat = (event if spec.beat_events == 1 else pair)(network.inputs, network.value_bits)
        self._engine = engine_of(spec)
        super().__init__(
            {
                "reset": In(1),
                "events": In(stream.Signature(beat)),
                "results": Out(self._engine.results.signature),
                **{f"trace{index}": Out(trace.signature) for index, trace in enumerate(self._engine.traces)},
            }
        )

    @property
    def spec(self) -> CoreSpec:
        return self._spec

    @property
    def score_bits(self) -> int:
        return len(self.results.payload.score)

    @property
    def targets(self) -> list[LoadTarget]:
        """What is loaded at run time, in the order of the load image."""
        return self._engine.targets if self._spec.loadable else []

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        engine = self._engine
        # A branch for each part: one register for all lanes of all layers would have to reach the whole device.
        branches = [ResetRegister() for _part in engine.parts]
        for index, branch in enumerate(branches):
            m.submodules[f"branch{index}"] = branch
            m.d.comb += branch.i.eq(self.reset)
        add_parts(m, branches[0].o, guard=self.guard)
        wiring.connect(m, wiring.flipped(self.events), self.guard.i)
        for branch, (name, part) in zip(branches, engine.parts.items(), strict=True):
            m.submodules[name] = part
            m.d.comb += part.reset.eq(branch.o)
        wiring.connect(m, self.guard.o, engine.events)
        engine.connect(m)
        for index, trace in enumerate(engine.traces):
            wiring.connect(m, trace, wiring.flipped(getattr(self, f"trace{index}")))
        wiring.connect(m, engine.results, wiring.flipped(self.results))
        return m


MOST_SAMPLES = (1 << 16) - 1
"""Far more than can be under way: each has a mark in some queue."""


class AxiCore(wiring.Component):
    """`Core` behind the names of AXI4-Stream, for users of Verilog.

    After `rst` the core is busy for three cycles, in which the reset spreads; it takes and answers nothing meanwhile.
    Where the memories are loaded at run time, the core is held in reset until an image was loaded and found right, see
    `Loader`; the reset of the top level forgets that. Another image is taken as soon as no sample is under way; until
    then no new sample begins.

    Parameters
    ----------
    spec : CoreSpec

    Members
    -------
    rst : In(1)
        Synchronous reset, for one cycle or more. The clock domain has none.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast
        Events: the axon in the low bits of `tdata`, then its value, then one bit that marks the end of a step, in
        whole bytes; where a beat has two events, axon and value of the second are above the mark. `tlast` on the mark
        of the last step.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Results: a score per class, sign extended to whole bytes; then, with `tlast`, the class, and in the top bit
        whether something in the sample was out of range.
    trace_valid, trace<k>_row, trace<k>_spikes, trace<k>_v
        What the update of layer k does while bit k of `trace_valid` is set; without effect, for test benches. A
        read-out has no `spikes`.
    s_load_tdata, s_load_tvalid, s_load_tready, s_load_tlast
        Only where memories are loaded: the bytes of a load image.
    loaded, load_error : Out(1)
        Likewise: what became of the last image.
    """

    def __init__(self, spec: CoreSpec) -> None:
        self.core = Core(spec)
        self.loader = Loader(self.core.targets, fingerprint(spec, self.core.targets)) if spec.loadable else None
        self.format = StreamFormat.of(spec)
        members: dict[str, Any] = {
            "rst": In(1),
            "s_axis_tdata": In(8 * self.format.input_bytes),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "m_axis_tdata": Out(8 * self.format.output_bytes),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
            "trace_valid": Out(len(spec.layers)),
        }
        for index, trace in enumerate(self._traces()):
            for name in self._trace_names(trace):
                members[f"trace{index}_{name}"] = Out(trace.signature.members[name].shape)
        if self.loader is not None:
            members |= {
                "s_load_tdata": In(8),
                "s_load_tvalid": In(1),
                "s_load_tready": Out(1),
                "s_load_tlast": In(1),
                "loaded": Out(1),
                "load_error": Out(1),
            }
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core = self.core
        m.submodules.core = core
        reset: Any = self.rst
        working = Signal(init=1)  # no reset is on its way
        may_take: Any = working
        if self.loader is not None:
            reset = self.rst | ~self.loader.loaded
            may_take = working & self._load(m, self.loader)
        branches = Signal()
        m.d.sync += [core.reset.eq(reset), branches.eq(core.reset), working.eq(~(reset | core.reset | branches))]
        axon_bits, mark_bit = self.format.axon_bits, self.format.mark_bit
        scores = core.results.payload
        m.d.comb += [
            core.events.payload.axon.eq(self.s_axis_tdata[:axon_bits]),
            core.events.payload.value.eq(self.s_axis_tdata[axon_bits:mark_bit]),
            core.events.payload.mark.eq(self.s_axis_tdata[mark_bit]),
            core.events.payload.last.eq(self.s_axis_tlast),
            core.events.valid.eq(self.s_axis_tvalid & may_take),
            self.s_axis_tready.eq(core.events.ready & may_take),
            self.m_axis_tdata.eq(scores.score),
            self.m_axis_tvalid.eq(core.results.valid & working),
            self.m_axis_tlast.eq(scores.last),
            core.results.ready.eq(self.m_axis_tready & working),
        ]
        if self.format.events > 1:
            second = self.s_axis_tdata[mark_bit + 1 :]
            m.d.comb += [
                core.events.payload.second_axon.eq(second[:axon_bits]),
                core.events.payload.second_value.eq(second[axon_bits:mark_bit]),
            ]
        with m.If(scores.last):
            m.d.comb += self.m_axis_tdata[-1].eq(scores.error)
        for index, trace in enumerate(self._traces()):
            m.d.comb += self.trace_valid[index].eq(trace.valid & working)
            for name in self._trace_names(trace):
                m.d.comb += getattr(self, f"trace{index}_{name}").eq(getattr(trace, name))
        return m

    def _traces(self) -> list[Any]:
        return [getattr(self.core, f"trace{index}") for index in range(len(self.core.spec.layers))]

    def _load(self, m: Module, loader: Loader) -> Any:
        """Connect the loader; whether beats may be taken."""
        gate = SampleGate(most=MOST_SAMPLES)
        m.submodules.loader = ResetInserter(self.rst)(loader)
        m.submodules.gate = ResetInserter(self.rst)(gate)
        m.d.comb += [
            loader.i.payload.data.eq(self.s_load_tdata),
            loader.i.payload.last.eq(self.s_load_tlast),
            loader.i.valid.eq(self.s_load_tvalid),
            self.s_load_tready.eq(loader.i.ready),
            loader.idle.eq(gate.idle),
            self.loaded.eq(loader.loaded),
            self.load_error.eq(loader.error),
            gate.close.eq(loader.waiting),
            gate.taken.eq(self.s_axis_tvalid & self.s_axis_tready),
            gate.last.eq(self.s_axis_tlast),
            gate.answered.eq(self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast),
        ]
        return loader.loaded & gate.open

    @staticmethod
    def _trace_names(trace: Any) -> list[str]:
        return [name for name in trace.signature.members if name != "valid"]
