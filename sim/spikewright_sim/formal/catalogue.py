"""All proofs, in the order of the data path."""

from __future__ import annotations

from functools import partial

from spikewright.contract.neuron import all_neurons, usual_neuron
from spikewright_sim.formal.delays import delay_buffer, onward_buffer
from spikewright_sim.formal.lanes import CURRENT, Own, lane, row_fetch, update
from spikewright_sim.formal.membranes import step_bounds, update_bounds
from spikewright_sim.formal.progress import lane_progress, step_join
from spikewright_sim.formal.prove import Proof
from spikewright_sim.formal.queues import queue, ram_queue
from spikewright_sim.formal.slots import row_port, step_pace
from spikewright_sim.formal.streams import guard, merge, serializer

_OWN: dict[str, Own] = {
    "floor of the threshold": {"floor": (-5, -3)},
    "floor of its own": {"floor": (-2, -9)},
    "leak of its own": {"multipliers": (3, 1)},
    "start of its own": {"start": (-4, 2)},
    "all of its own": {"floor": (-2, -9), "multipliers": (1, 2), "start": (2, -4)},
}
"""Constants of the two neurons of a layer."""

PROOFS = (
    Proof("Queue, depth 2", partial(queue, 2), "induction", 2, 12, quick=True),
    Proof("Queue, depth 3", partial(queue, 3), "induction", 2, 14),
    Proof("Queue, depth 4", partial(queue, 4), "induction", 2, 16),
    Proof("RamQueue, depth 3", partial(ram_queue, 3, 4), "induction", 2, 14, quick=True, parts=("ram",)),
    Proof("RamQueue, depth 4", partial(ram_queue, 4, 4), "induction", 2, 16, parts=("ram",)),
    Proof("InputGuard, 3 inputs, 2 steps", partial(guard, 3, 2), "induction", 2, 12, quick=True),
    Proof("InputGuard, 5 inputs, 3 steps", partial(guard, 5, 3), "induction", 2, 12),
    Proof("EventMerge", merge, "induction", 2, 8, quick=True),
    Proof("EventMerge, several spikes", partial(merge, 5), "induction", 2, 8),
    Proof("DelayBuffer, delays 0 and 1", partial(delay_buffer, (0, 1), 1), "induction", 6, 34),
    Proof("DelayBuffer, delays 0, 2, 1, 2", partial(delay_buffer, (0, 2, 1, 2), 2), "induction", 6, 50),
    Proof("DelayBuffer, delay 3", partial(delay_buffer, (3, 3), 2), "induction", 6, 50),
    Proof("DelayBuffer, several spikes", partial(delay_buffer, (0, 1), 2, 3), "induction", 6, 34),
    Proof("OnwardBuffer, delays 0 and 1", partial(onward_buffer, (0, 1), 2), "bounded", 34, 34),
    Proof("OnwardBuffer, delays 1, 0, 2", partial(onward_buffer, (1, 0, 2), 2), "bounded", 34, 50),
    Proof("OnwardBuffer, several spikes", partial(onward_buffer, (0, 1), 2, 2), "bounded", 34, 34),
    Proof("RowFetch", row_fetch, "induction", 6, 10, quick=True),
    Proof("Lane", lane, "bounded", 18, 16, parts=("membranes",)),
    Proof("Lane, distances", partial(lane, encoding="relative"), "bounded", 18, 16, parts=("membranes",)),
    Proof("Lane, bitmaps", partial(lane, encoding="bitmap"), "bounded", 18, 16, parts=("membranes",)),
    Proof("Lane, waits", lane_progress, "induction", 9, 24),
    Proof("Lane, bounds", step_bounds, "bounded", 18, 18),
    *(
        Proof(f"NeuronUpdate, bounds, {neuron.label}", partial(update_bounds, neuron), "induction", 6, 9)
        for neuron in all_neurons()
    ),
    *(Proof(f"NeuronUpdate, {neuron.label}", partial(update, neuron), "induction", 6, 10) for neuron in all_neurons()),
    *(
        Proof(f"NeuronUpdate{part}, {name}", partial(stage, usual_neuron(), own), "induction", 6, depth)
        for name, own in _OWN.items()
        for part, stage, depth in ((", bounds", update_bounds, 9), ("", update, 10))
    ),
    *(
        Proof(
            f"CurrentUpdate, bounds, {neuron.label}", partial(update_bounds, neuron, current=CURRENT), "induction", 6, 9
        )
        for neuron in all_neurons()
    ),
    Proof(
        "CurrentUpdate, leaks of its own",
        partial(
            update, usual_neuron(), {"multipliers": (3, 1), "current_multipliers": (1, 2), "start": (-4, 2)}, CURRENT
        ),
        "induction",
        6,
        10,
    ),
    Proof(
        "CurrentUpdate, starts of its own",
        partial(update, usual_neuron(), {"start": (-4, 2), "current_start": (3, -2)}, CURRENT),
        "induction",
        6,
        10,
    ),
    *(
        Proof(f"CurrentUpdate, {neuron.label}", partial(update, neuron, current=CURRENT), "induction", 6, 10)
        for neuron in all_neurons()
    ),
    Proof("StepJoin, 2 rows, 2 lanes", partial(step_join, 2, 2), "induction", 4, 30, quick=True),
    Proof("StepJoin, 1 row, 4 lanes", partial(step_join, 1, 4), "induction", 4, 30),
    Proof("BitSerializer, 2 rows of 4", partial(serializer, 2, 4), "induction", 2, 14),
    Proof("BitSerializer, 1 row of 8", partial(serializer, 1, 8), "induction", 2, 14),
    Proof("RowPort, 4 bits", partial(row_port, 4), "induction", 2, 8, quick=True),
    Proof("RowPort, 8 bits", partial(row_port, 8), "induction", 2, 8),
    Proof("StepPace, 5 cycles", partial(step_pace, 5), "induction", 3, 16),
)

ONLY_TESTED = (
    ("the core as a whole: spikes, membranes, scores, cycles", "simulation, random networks"),
    ("components with more rows, lanes and longer delays than proven", "simulation, random networks"),
    ("that components together never wait for each other for ever", "simulation, which gives up a core that hangs"),
    ("read-out: integrators, scores, decision", "pytest tests/hw/test_readout.py, simulation"),
    ("membranes of a read-out, and without leak, stay in their width", "simulation, random networks"),
    (
        "words, sums, updates and delays of slotted layers",
        "pytest tests/hw/test_slotted.py, simulation, random networks",
    ),
    ("lanes that layers share; weights loaded at run time", "pytest tests/hw, simulation"),
    ("serializer of rows of more than 8 bits", "pytest tests/hw/test_serializer.py, simulation"),
)
"""What no proof is about, and what finds its faults instead."""
