"""What the rooms share: integer networks, and their layout in the memories of a core.

Plain NumPy and the standard library: neither torch nor amaranth is imported here, and `spikewright_hw` imports nothing
else of `spikewright`. Arrays are made read-only, so that a specification never changes after it was validated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import IntArray as IntArray
from .arrays import check_range, frozen, run_addresses
from .arrays import signed_bits as signed_bits
from .arrays import unsigned_bits as unsigned_bits
from .decay import Decay as Decay

Reset = Literal["hard", "soft"]
Layers = Literal["parallel", "shared"]
"""Whether every layer has lanes of its own, or all take turns on the same ones."""
LAYERS: tuple[Layers, ...] = ("parallel", "shared")
Encoding = Literal["absolute", "relative", "bitmap"]
"""How the memories of a layer tell the neuron of a synapse, see `LayerImage`."""
ENCODINGS: tuple[Encoding, ...] = ("absolute", "relative", "bitmap")
BITMAP_ROWS = 64
"""Most rows of a lane with a bitmap: each is a bit in the logic that finds the next synapse."""

LANES = (1, 2, 4, 8, 16, 32, 64)
MAX_DELAY = 4095
"""Steps; far beyond what a sample has, so that a damaged file is refused."""
RATE_UNIT = 1 << 12
"""Rate of an axon that has an event in every step."""
_LIMIT = 1 << 40
_MEMBRANE_LIMIT = 1 << 46
"""Below it, the product of a leak (16 bits) and a score (65535 steps) fit into the 64 bits of a model on a computer."""


@dataclass(frozen=True)
class Bounds:
    """Ranges that no input within the declared limits can leave; see `LayerSpec.bounds`.

    `membrane` covers the state memory at every moment (partial sums included), `after_reset` the membrane that is left
    after a step, both as (lowest, highest) over all neurons of the layer.
    """

    membrane: tuple[int, int]
    after_reset: tuple[int, int]

    @property
    def state_bits(self) -> int:
        return signed_bits(*self.membrane)


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerSpec:
    """One layer of an integer network.

    A step, in this order: decay, add all weighted events and the bias, compare (`>=`), emit, reset::

        v = (v * decay.multiplier) >> decay.shift
        v = v + bias + sum(weight << weight_shift) * value          # events of the step
        s = v >= threshold
        v = 0 (hard) or v - threshold (soft) where s

    A read-out layer (`threshold` None) never fires; its scores are the sums of its membranes over the steps.

    Parameters
    ----------
    inputs : int
        Feed-forward axons.
    neurons : int
    weights : (neurons, axons) integers
        `weights[post, pre]`; the axons are the feed-forward ones, then (`delays` given) one per neuron of the layer.
    bias : (neurons,) integers
    threshold : (neurons,) integers of at least 1, or None for a read-out
    delays : (neurons,) integers of at least 0, or None without recurrence
        A spike of neuron j at step t arrives at step t + 1 + delays[j].
    decay : Decay
    reset : "hard" or "soft"
        Ignored by a read-out.
    weight_bits : int
        2 .. 16; weights lie in -(2**(weight_bits-1)-1) .. 2**(weight_bits-1)-1.
    weight_shift : int
        0 .. 16: fractional bits of the membrane below the weights.
    value_bits : int
        1 .. 16: width of the (unsigned) values of feed-forward events; 1 for spikes.
    rates : (axons,) integers of 0 .. RATE_UNIT, optional
        Mean number of events of each axon in a step of some recordings (`spikewright.rates`), times RATE_UNIT. Changes
        nothing that is computed: lanes are given equally much to do by them.

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If a shape or a range is violated.
    """

    inputs: int
    neurons: int
    weights: IntArray
    bias: IntArray
    threshold: IntArray | None
    delays: IntArray | None
    decay: Decay
    reset: Reset = "hard"
    weight_bits: int = 8
    weight_shift: int = 0
    value_bits: int = 1
    rates: IntArray | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("inputs", 1, 1 << 16),
            ("neurons", 1, 1 << 16),
            ("weight_bits", 2, 16),
            ("weight_shift", 0, 16),
            ("value_bits", 1, 16),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low} .. {high}, not {getattr(self, name)}")
        if self.reset not in ("hard", "soft"):
            raise ValueError(f"reset must be 'hard' or 'soft', not {self.reset!r}")
        if self.threshold is None and self.delays is not None:
            raise ValueError("a read-out layer must have no delays: it never fires")
        shape = (self.neurons,)
        object.__setattr__(self, "weights", frozen(self.weights, "weights", (self.neurons, self.axons)))
        object.__setattr__(self, "bias", frozen(self.bias, "bias", shape))
        limit = (1 << (self.weight_bits - 1)) - 1
        check_range("weights", self.weights, -limit, limit)
        check_range("bias", self.bias, 1 - _LIMIT, _LIMIT - 1)
        # In floating point, as integers might wrap before they are compared.
        largest = float((np.abs(self.weights).astype(np.float64) @ self._largest_values()).max())
        if largest * 2.0**self.weight_shift >= _MEMBRANE_LIMIT:
            raise ValueError(
                f"weighted sum of a step must be below {_MEMBRANE_LIMIT}, not {largest * 2.0**self.weight_shift:.0f}"
            )
        if self.threshold is not None:
            object.__setattr__(self, "threshold", frozen(self.threshold, "threshold", shape))
            check_range("threshold", self.threshold, 1, _LIMIT - 1)
        if self.delays is not None:
            object.__setattr__(self, "delays", frozen(self.delays, "delays", shape))
            check_range("delays", self.delays, 0, MAX_DELAY)
        if self.rates is not None:
            object.__setattr__(self, "rates", frozen(self.rates, "rates", (self.axons,)))
            check_range("rates", self.rates, 0, RATE_UNIT)

    @property
    def recurrent(self) -> bool:
        return self.delays is not None

    @property
    def readout(self) -> bool:
        return self.threshold is None

    @property
    def axons(self) -> int:
        """Rows of the synapse memory: feed-forward axons, then the layer's own neurons where it is recurrent."""
        return self.inputs + (self.neurons if self.recurrent else 0)

    @property
    def synapses(self) -> int:
        """Non-zero weights."""
        return int(np.count_nonzero(self.weights))

    def step_input(self) -> tuple[IntArray, IntArray]:
        """Lowest and highest weighted sum of one step, bias excluded: two arrays (neurons,)."""
        weighted = (self.weights << self.weight_shift) * self._largest_values()
        return np.minimum(weighted, 0).sum(axis=1), np.maximum(weighted, 0).sum(axis=1)

    def _largest_values(self) -> IntArray:
        """(axons,) largest value of an event."""
        value = np.ones(self.axons, dtype=np.int64)
        value[: self.inputs] = (1 << self.value_bits) - 1
        return value

    def bounds(self, timesteps: int) -> Bounds:
        """Ranges over all neurons, see `neuron_bounds`."""
        state_low, state_high, low, high, _ = self.neuron_bounds(timesteps)
        return Bounds(
            membrane=(int(state_low.min()), int(state_high.max())),
            after_reset=(int(low.min()), int(high.max())),
        )

    def neuron_bounds(self, timesteps: int) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
        """Interval arithmetic over at most `timesteps` steps from v = 0.

        Decay, sums and resets are monotone, so the range of the membrane after a step follows from its range before.
        It grows from {0} to a fixed point, which a leaky neuron reaches after a few steps; iterating no further than
        `timesteps` bounds a neuron without leak too.

        Returns
        -------
        tuple of (neurons,) integers
            Lowest and highest state at any moment, lowest and highest membrane after a step, and the highest that is
            ever compared with the threshold.

        Raises
        ------
        ValueError
            If a membrane could reach 2**46, so that a leak or a score might exceed 64 bits.
        """
        low_in, high_in = self.step_input()
        low = np.zeros(self.neurons, dtype=np.int64)
        high = np.zeros(self.neurons, dtype=np.int64)
        state_low, state_high = np.minimum(low, self.bias), np.maximum(high, self.bias)
        compared = np.full(self.neurons, -_MEMBRANE_LIMIT)
        for _ in range(timesteps):
            base_low = ((low * self.decay.multiplier) >> self.decay.shift) + self.bias
            base_high = ((high * self.decay.multiplier) >> self.decay.shift) + self.bias
            u_low, u_high = base_low + low_in, base_high + high_in
            state_low, state_high = np.minimum(state_low, u_low), np.maximum(state_high, u_high)
            compared = np.maximum(compared, u_high)
            largest = max(-int(state_low.min()), int(state_high.max()))
            if largest >= _MEMBRANE_LIMIT:
                raise ValueError(f"membrane must stay below {_MEMBRANE_LIMIT}, not reach {largest}")
            if self.threshold is None:
                next_low, next_high = u_low, u_high
            elif self.reset == "hard":
                next_low, next_high = u_low, np.minimum(u_high, self.threshold - 1)
            else:
                next_low = u_low
                next_high = np.minimum(u_high, np.maximum(self.threshold - 1, u_high - self.threshold))
            next_low, next_high = np.minimum(low, next_low), np.maximum(high, next_high)
            if np.array_equal(next_low, low) and np.array_equal(next_high, high):
                break
            low, high = next_low, next_high
        return state_low, state_high, low, high, compared


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkSpec:
    """An integer network: spiking layers in sequence, then one read-out.

    Parameters
    ----------
    layers : tuple of LayerSpec
        At least one; the last is the read-out, the others fire. Layer k+1 has as many inputs as layer k has neurons.
    timesteps : int
        1 .. 65535: most steps of a sample.
    readout : "sum"
        Score of class c: the sum of its membranes over the steps. The class is the lowest index of a highest score.

    Raises
    ------
    ValueError
        If the layers do not fit together, or a membrane has no bound of 46 bits.
    """

    layers: tuple[LayerSpec, ...]
    timesteps: int
    readout: Literal["sum"] = "sum"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers must hold at least a read-out, not 0 layers")
        if not 1 <= self.timesteps < 1 << 16:
            raise ValueError(f"timesteps must be 1 .. {(1 << 16) - 1}, not {self.timesteps}")
        if self.readout != "sum":
            raise ValueError(f"readout must be 'sum', not {self.readout!r}")
        for index, layer in enumerate(self.layers):
            if layer.readout != (index == len(self.layers) - 1):
                raise ValueError(
                    f"layer {index} must {'not ' if layer.readout else ''}be the read-out: the last one is"
                )
            if index and layer.inputs != self.layers[index - 1].neurons:
                neurons = self.layers[index - 1].neurons
                raise ValueError(
                    f"layer {index} must have {neurons} inputs, one per neuron of layer {index - 1}, not {layer.inputs}"
                )
            if index and layer.value_bits != 1:
                raise ValueError(
                    f"layer {index} value_bits must be 1, as its inputs are spikes, not {layer.value_bits}"
                )
            try:
                layer.bounds(self.timesteps)
            except ValueError as error:
                raise ValueError(f"layer {index}: {error}") from None

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def classes(self) -> int:
        return self.layers[-1].neurons

    @property
    def value_bits(self) -> int:
        return self.layers[0].value_bits

    @property
    def score_bounds(self) -> tuple[int, int]:
        """Range of every score over a whole sample."""
        low, high = self.layers[-1].bounds(self.timesteps).after_reset
        return low * self.timesteps, high * self.timesteps


class DelayEntry(NamedTuple):
    """Neurons of one row of hardware positions whose spikes take the same time: they are read together.

    Parameters
    ----------
    delay : int
        Steps.
    row : int
    lanes : tuple of int
    """

    delay: int
    row: int
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class LayerCapacity:
    """What the memories of a layer can hold where they are loaded at run time, see `capacity.Capacity`.

    Parameters
    ----------
    lanes : int
    synapses : int
        Of the synapse memory of a lane.
    run : int
        Synapses of an axon in a lane.
    entries : int
        Of the program of delays; 0 without recurrence, as is `delay`.
    delay : int
        Steps.
    threshold_bits : int
        0 for a read-out.
    bias_bits, state_bits : int
    offset_bits : int
        See `LayerImage.offset_bits`. Runs are placed so that it suffices.
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


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerImage:
    """Memories of one layer, its neurons dealt out to lanes.

    Neuron `order[h]` of the network sits at hardware position h: lane `h % lanes`, row `h // lanes`. Events carry
    hardware positions, so the axons of the following layer (and of the recurrence) are numbered by position too.

    Compressed sparse rows by presynaptic axon, one memory per lane: the synapses of axon a in lane l, its run, are
    `data[l][start : start + length]` with `start = starts[a, l]` and `length = lengths[a, l]`, by rising row of the
    neuron within the lane. Runs lie in any order; words between them are 0 and are never read. What tells the rows is
    the `encoding`:

    - absolute: `indices[l][...]` are the rows.
    - relative: they count the rows that are skipped since the synapse before, or since the start of the lane.
    - bitmap: `bitmaps[a, l]` has a bit for every row, in place of the length; `indices` are 0 and not stored.

    Parameters
    ----------
    spec : LayerSpec
        What was packed, neurons and axons in the order of the network.
    lanes : int
    order : (neurons,) integers
        A permutation of 0 .. neurons - 1.
    starts, lengths : (axons, lanes) integers
        An empty run starts where the first run of its axon does.
    indices, data : per lane, (words of the lane,) integers
        What tells the row, and weight (never 0 within a run).
    encoding : "absolute", "relative" or "bitmap"
    bitmaps : (axons, lanes, rows) bool, optional
        Only of that encoding.
    capacity : LayerCapacity, optional
        Of memories that are loaded at run time; without it, all sizes are those of the contents.
    """

    spec: LayerSpec
    lanes: int
    order: IntArray
    starts: IntArray
    lengths: IntArray
    indices: tuple[IntArray, ...]
    data: tuple[IntArray, ...]
    encoding: Encoding = "absolute"
    bitmaps: npt.NDArray[np.bool_] | None = None
    capacity: LayerCapacity | None = None

    @property
    def rows(self) -> int:
        """Neurons per lane, the last row perhaps not full."""
        return -(-self.spec.neurons // self.lanes)

    @property
    def bases(self) -> IntArray:
        """(axons,): address of the first run of an axon; its runs in other lanes start a short offset further on."""
        bases: IntArray = self.starts.min(axis=1)
        return bases

    def synapses(self, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        """Axon, row and weight of all synapses of a lane, axon by axon, as the hardware reads them."""
        bitmaps = None if self.bitmaps is None else self.bitmaps[:, lane]
        lengths = self.lengths[:, lane] if bitmaps is None else bitmaps.sum(axis=1)
        words = run_addresses(self.starts[:, lane], lengths)
        axon, row = np.repeat(np.arange(len(lengths)), lengths), self.indices[lane][words]
        if bitmaps is not None:
            axon, row = np.nonzero(bitmaps)
        if self.encoding == "relative":
            row = np.cumsum(row + 1)
            # Every run starts anew.
            row -= np.repeat(np.append(0, row)[np.cumsum(lengths) - lengths], lengths) + 1
        return axon, row, self.data[lane][words]

    def extent(self, axon: int, lane: int) -> int:
        """What the pointer to a run tells of its synapses: their number, or a bit for every row, row 0 lowest."""
        if self.bitmaps is None:
            return int(self.lengths[axon, lane])
        return sum(1 << row for row in np.flatnonzero(self.bitmaps[axon, lane]).tolist())

    @property
    def index_bits(self) -> int:
        """Width of what tells the row in a word of the synapse memory."""
        if self.encoding == "absolute":
            return self.row_bits
        return max((int(indices.max(initial=0)).bit_length() for indices in self.indices), default=0)

    @property
    def synapse_bits(self) -> int:
        """Width of a word of the synapse memory."""
        return self.index_bits + self.spec.weight_bits

    @property
    def extent_bits(self) -> int:
        """Width of an `extent`."""
        return self.rows if self.encoding == "bitmap" else self.length_bits

    @property
    def row_bits(self) -> int:
        """Width of a row within a lane."""
        return unsigned_bits(self.rows - 1)

    @property
    def start_bits(self) -> int:
        """Width of an address of a lane's synapse memory."""
        words = self.capacity.synapses if self.capacity else max(len(data) for data in self.data)
        return unsigned_bits(max(words - 1, 0))

    @property
    def offset_bits(self) -> int:
        """Width of the distance from the base of an axon to its run in a lane; 0 in a single lane."""
        if self.capacity:
            return self.capacity.offset_bits
        return int((self.starts - self.bases[:, None]).max()).bit_length()

    @property
    def length_bits(self) -> int:
        """Width of the number of synapses of an axon in a lane."""
        return unsigned_bits(self.capacity.run if self.capacity else int(self.lengths.max(initial=0)))

    @property
    def threshold_bits(self) -> int:
        """Width of a threshold; 0 for a read-out."""
        if self.spec.threshold is None:
            return 0
        return self.capacity.threshold_bits if self.capacity else unsigned_bits(int(self.spec.threshold.max()))

    @property
    def bias_bits(self) -> int:
        if self.capacity:
            return self.capacity.bias_bits
        return signed_bits(int(self.spec.bias.min()), int(self.spec.bias.max()))

    @property
    def pointer_bits(self) -> int:
        """Width of what points at the runs of an axon: its base; for every lane an offset, and a length or bitmap."""
        return self.start_bits + self.lanes * (self.offset_bits + self.extent_bits)

    @property
    def program(self) -> list[DelayEntry]:
        """What a step of a recurrent layer asks of the steps before, long delays first."""
        if self.spec.delays is None:
            return []
        members: dict[tuple[int, int], list[int]] = {}
        for position, delay in enumerate(self.spec.delays[self.order].tolist()):
            members.setdefault((-delay, position // self.lanes), []).append(position % self.lanes)
        return [DelayEntry(-delay, row, tuple(lanes)) for (delay, row), lanes in sorted(members.items())]

    @property
    def entries(self) -> int:
        """Most entries of the program."""
        return self.capacity.entries if self.capacity else len(self.program)

    @property
    def slots(self) -> int:
        """Steps whose spikes are kept for the delays."""
        if self.spec.delays is None:
            return 0
        return 1 + (self.capacity.delay if self.capacity else int(self.spec.delays.max()))

    @property
    def ring_words(self) -> int:
        """Rows of spikes that are kept for the delays: a slot for every step that may be asked for."""
        return self.slots * self.rows

    def by_position(self, per_neuron: IntArray, fill: int) -> IntArray:
        """(rows, lanes) from (neurons,), positions without a neuron filled."""
        grid = np.full(self.rows * self.lanes, fill, dtype=np.int64)
        grid[: self.spec.neurons] = per_neuron[self.order]
        return grid.reshape(self.rows, self.lanes)


@dataclass(frozen=True, eq=False, kw_only=True)
class CoreSpec:
    """A network laid out for a core of `lanes` lanes: what `spikewright_hw` builds and the cycle model predicts.

    Parameters
    ----------
    network : NetworkSpec
    lanes : int
        Lanes of the largest layer, one of `LANES`; others have as many as they need to keep up.
    layers : tuple of LayerImage
        One per layer of the network.
    queue_depth : int
        Runs that wait in front of a lane: 8 .. 64.
    engine : LayerImage, optional
        Where the layers take turns on the same lanes: the synapses of all of them, as those of one layer with the
        axons of all. Which neuron a row means depends on the layer whose turn it is.
    score_capacity : int, optional
        Bits of a score where the memories are loaded at run time, as the `capacity` of the layers.
    """

    network: NetworkSpec
    lanes: int
    layers: tuple[LayerImage, ...]
    queue_depth: int = 16
    engine: LayerImage | None = None
    score_capacity: int | None = None

    def __post_init__(self) -> None:
        if self.lanes not in LANES:
            raise ValueError(f"lanes must be one of {', '.join(map(str, LANES))}, not {self.lanes}")
        if not 8 <= self.queue_depth <= 64:
            raise ValueError(f"queue_depth must be 8 .. 64, not {self.queue_depth}")

    @property
    def memories(self) -> dict[str, LayerImage]:
        """Whose synapses lie in which row and synapse memories, by the prefix of their names."""
        if self.engine is not None:
            return {"engine": self.engine}
        return {f"layer{index}": image for index, image in enumerate(self.layers)}

    @property
    def axon_bases(self) -> list[int]:
        """First axon of every layer in the engine."""
        axons = [image.spec.axons for image in self.layers]
        return [sum(axons[:index]) for index in range(len(axons))]

    @property
    def row_bases(self) -> list[int]:
        """Where the rows of every layer begin in the memories of the engine: a row joins its base without a carry."""
        bases = [0] * len(self.layers)
        end = 0
        # The largest first: each then begins at a multiple of its own size.
        for index in sorted(range(len(bases)), key=lambda index: -self.layers[index].row_bits):
            bases[index] = end
            end += 1 << self.layers[index].row_bits
        return bases

    @property
    def engine_rows(self) -> int:
        """Words of a memory of the engine with a word per row."""
        return max(base + image.rows for base, image in zip(self.row_bases, self.layers, strict=True))

    @property
    def loadable(self) -> bool:
        """Memories are loaded at run time."""
        return self.score_capacity is not None

    def state_bits(self, index: int) -> int:
        """Width of a membrane of a layer."""
        image = self.layers[index]
        return image.capacity.state_bits if image.capacity else image.spec.bounds(self.network.timesteps).state_bits

    @property
    def score_bits(self) -> int:
        """Width of a score, and of the class, which travels in the place of one."""
        if self.score_capacity is not None:
            return self.score_capacity
        return max(signed_bits(*self.network.score_bounds), unsigned_bits(self.network.classes - 1) + 1)
