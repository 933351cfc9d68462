"""What memories hold that are loaded at run time."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields


@dataclass(frozen=True)
class LayerCapacity:
    """What the memories of a layer can hold where they are loaded at run time, see `spikewright.layout.capacity`.

    Parameters
    ----------
    lanes : int
    synapses : int
        Words of the synapse memory of a lane.
    run : int
        Synapses of an axon in a lane.
    entries : int
        Entries that the program of delays can hold; 0 without recurrence, as is `delay`.
    delay : int
        Steps.
    threshold_bits : int
        0 for a read-out.
    bias_bits, state_bits : int
    offset_bits : int
        See `LayerImage.offset_bits`. Runs are placed so that it suffices.
    floor_bits, start_bits, leak_bits, current_leak_bits, current_start_bits : int
        See `LayerImage.floor_bits`, `LayerImage.constants`.
    onward_entries, onward_delay : int
        As `entries` and `delay`, for the way to the next layer; 0 without delays there.
    membrane_bits : int
        Where synaptic currents are in the state; 0 elsewhere, as the state is the membrane.
    """

    lanes: int
    synapses: int
    run: int
    entries: int
    delay: int
    threshold_bits: int
    bias_bits: int
    state_bits: int
    offset_bits: int
    floor_bits: int = 0
    start_bits: int = 0
    leak_bits: int = 0
    current_leak_bits: int = 0
    onward_entries: int = 0
    onward_delay: int = 0
    membrane_bits: int = 0
    current_start_bits: int = 0

    @classmethod
    def later(cls) -> dict[str, int]:
        """What capacities did not have at first, and what such a one means."""
        return {each.name: each.default for each in fields(cls) if each.default is not MISSING}

    def as_dict(self) -> dict[str, int]:
        """JSON-ready, as at first where nothing else is needed."""
        later = self.later()
        return {name: value for name, value in asdict(self).items() if value != later.get(name)}
