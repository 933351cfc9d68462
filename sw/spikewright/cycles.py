"""Cycle model: when a core does what, without simulating it.

Every stage of the core takes its next item at the latest of a few earlier events, plus a constant. Following those
rules item by item gives the exact clock cycle of everything that happens, for any network, lanes and input, as long as
input is offered and output is taken without a pause. The constants are the latencies that the docstrings of
`spikewright_hw` promise; simulations compare both for equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spec import CoreSpec, IntArray, LayerImage, delay_ring

_LONG_AGO = -(10**9)


@dataclass(frozen=True)
class SampleCycles:
    """Clock cycles of one sample, counted from the same origin as its `start`.

    Parameters
    ----------
    start : int
        The first beat is offered.
    accepted : int
        The last beat is taken; the next sample may be offered from the cycle after on.
    steps : (layers, T) integers
        The update of the first row of every step is traced: `trace<k>_valid` with row 0.
    done : int
        The class is taken.
    """

    start: int
    accepted: int
    steps: IntArray
    done: int

    @property
    def latency(self) -> int:
        """Cycles of the inference, the first and the last included."""
        return self.done - self.start + 1


@dataclass
class _Beat:
    """Head of a stream: its events (`axon`, None for a mark), and the cycle from which it is offered."""

    axon: int | None
    offered: int
    value: int = 1


class _Serializer:
    """`BitSerializer`: rows and a mark go in, positions and the mark come out."""

    def __init__(self) -> None:
        self.popped = _LONG_AGO
        self.sent = _LONG_AGO
        self.head: _Beat | None = None
        self._beats: Iterator[_Beat] = iter(())

    def push(self, rows: list[tuple[int, list[int]]], mark: int) -> None:
        """Rows as (cycle of the push, positions in order), and the cycle in which the mark is pushed."""
        self._beats = self._serialize(rows, mark)
        self.head = next(self._beats)

    def _serialize(self, rows: list[tuple[int, list[int]]], mark: int) -> Iterator[_Beat]:
        entries: list[tuple[int, list[int | None]]] = [(pushed, list(positions)) for pushed, positions in rows]
        entries.append((mark, [None]))
        for pushed, positions in entries:
            read = max(pushed + 1, self.popped)
            self.popped = max(read + 1, self.sent)
            offered = self.popped + 1
            for position in positions:
                yield _Beat(position, offered)
                offered = self.sent + 1

    def take(self, cycle: int) -> None:
        self.sent = cycle
        self.head = next(self._beats, None)


class _Input:
    """`InputGuard`: beats offered without a pause, through two queues of two."""

    def __init__(self) -> None:
        self.accepted = _LONG_AGO
        self.checked = [_LONG_AGO, _LONG_AGO]  # the last two beats have gone from the first queue to the second
        self.popped = [_LONG_AGO, _LONG_AGO]
        self.head: _Beat | None = None
        self._beats: Iterator[tuple[int | None, int]] = iter(())
        self._start = 0

    def feed(self, values: IntArray, start: int) -> None:
        """`values` (T, inputs); the beats of a step are its non-zero values and a mark."""
        self._start = start
        self._beats = self._of_sample(values)
        self._next()

    @staticmethod
    def _of_sample(values: IntArray) -> Iterator[tuple[int | None, int]]:
        for row in values:
            for axon in np.flatnonzero(row).tolist():
                yield axon, int(row[axon])
            yield None, 0

    def _next(self) -> None:
        beat = next(self._beats, None)
        if beat is None:
            self.head = None
            return
        self.accepted = max(self._start, self.accepted + 1, self.checked[-2] + 1)
        checked = max(self.accepted + 1, self.checked[-1] + 1, self.popped[-2] + 1)
        self.checked = [self.checked[-1], checked]
        self.head = _Beat(beat[0], max(checked, self.popped[-1]) + 1, beat[1])

    def take(self, cycle: int) -> None:
        self.popped = [self.popped[-1], cycle]
        self._next()


class _Layer:
    """`SynapsePath` with its update: takes events, and knows when each step is over."""

    def __init__(self, image: LayerImage, queue_depth: int) -> None:
        self.image = image
        self.sweep = image.spec.neurons if image.spec.readout else image.rows
        self.rows = [
            [(lane, length) for lane, length in enumerate(lengths) if length] for lengths in image.lengths.tolist()
        ]
        self.serializer = _Serializer()
        self.delayed = _Serializer()
        self.delay_words, self.delay_width, self.delay_depth = (
            delay_ring(image.spec.neurons, int(image.spec.delays.max())) if image.spec.delays is not None else (0, 0, 0)
        )
        self.delays = image.spec.delays[image.order] if image.spec.delays is not None else None
        self.complete = _LONG_AGO  # the delayed events of the step have all been taken
        self.result_taken = _LONG_AGO
        self._taken = _LONG_AGO
        self._looked_up = [_LONG_AGO, _LONG_AGO]  # the last two events have left the queue of the fetch
        self._left = [_LONG_AGO, _LONG_AGO]  # the last two events have left the fetch
        self._popped = [[_LONG_AGO] * queue_depth for _ in range(image.lanes)]
        self._walked = [_LONG_AGO] * image.lanes
        self._swept = _LONG_AGO
        self._queue_depth = queue_depth

    @property
    def ready(self) -> int:
        """First cycle in which the fetch can take another event."""
        return max(self._taken + 1, self._looked_up[0] + 1)

    def _enter(self, cycle: int) -> int:
        """The fetch takes an event or mark; returns the cycle from which it is held for the lanes."""
        self._taken = cycle
        looked_up = max(cycle + 1, self._looked_up[1] + 1, self._left[0])
        self._looked_up = [self._looked_up[1], looked_up]
        return max(looked_up + 2, self._left[1] + 1)

    def take(self, axon: int, cycle: int) -> None:
        held = self._enter(cycle)
        left = held
        for lane, length in self.rows[axon]:
            popped = self._popped[lane]
            pushed = max(held, popped[0] + 1)
            walk = max(pushed + 1, self._walked[lane])
            popped.append(walk)
            del popped[0]
            self._walked[lane] = walk + length
            left = max(left, pushed)
        self._left = [self._left[1], left]

    def end_step(self, cycle: int) -> int:
        """The fetch takes the mark; returns the cycle in which the sweep is decided, one before its first read."""
        held = self._enter(cycle)
        start = max(held, max(self._walked) + 4, self.serializer.popped + 1, self._swept, self.result_taken)
        self._left = [self._left[1], start + self.sweep]
        self._swept = start + self.sweep + 5
        return start

    def fire(self, start: int, positions: IntArray) -> None:
        """Push the spikes (hardware positions) of the sweep that was decided in cycle `start`."""
        lanes = self.image.lanes
        rows: dict[int, list[int]] = {}
        for position in np.sort(positions).tolist():
            rows.setdefault(position // lanes, []).append(position)
        self.serializer.push([(start + 4 + row, members) for row, members in rows.items()], start + self.sweep + 4)

    def read_delayed(self, mark: int, last: bool, positions: IntArray) -> None:
        """The delay buffer, having taken a mark, reads the spikes that arrive in the next step."""
        first = mark + 5 + (self.delay_depth if last else 0)
        words: dict[int, list[int]] = {}
        for position in np.sort(positions).tolist():
            words.setdefault(position // self.delay_width, []).append(position)
        self.delayed.push(
            [(first + word + 3, members) for word, members in words.items()], first + self.delay_words + 3
        )


class CycleModel:
    """Clock cycles of samples that pass through one core, one after the other.

    Starts idle, long after a reset. Calls of `run` continue one timeline, so that samples may follow each other
    closely.

    Parameters
    ----------
    core : CoreSpec
    """

    def __init__(self, core: CoreSpec) -> None:
        self._core = core
        self._layers = [_Layer(image, core.queue_depth) for image in core.layers]
        self._input = _Input()

    def run(self, values: npt.NDArray[np.integer], spikes: list[npt.NDArray[np.bool_]], start: int) -> SampleCycles:
        """Predict one sample.

        Parameters
        ----------
        values : (T, inputs) integers
        spikes : per spiking layer, (T, neurons) bool
            Of the integer network, neurons in the order of the network.
        start : int
            Cycle from which the first beat is offered.
        """
        steps = len(values)
        by_position = [of_layer[:, image.order] for of_layer, image in zip(spikes, self._core.layers, strict=False)]
        arriving = [
            _arriving(of_layer, layer.delays) if layer.delays is not None else None
            for of_layer, layer in zip(by_position, self._layers, strict=False)
        ]
        traced = np.zeros((len(self._layers), steps), dtype=np.int64)
        self._input.feed(np.asarray(values), start)
        for t in range(steps):
            last = t == steps - 1
            for index, layer in enumerate(self._layers):
                above = self._layers[index - 1] if index else None
                mark = self._integrate(layer, above.serializer if above else self._input)
                if above is not None and above.delays is not None:
                    of_above = arriving[index - 1]
                    assert of_above is not None
                    above.read_delayed(mark, last, of_above[t + 1] if not last else np.zeros(0, dtype=np.int64))
                begin = layer.end_step(mark)
                traced[index, t] = begin + 4
                if not layer.image.spec.readout:
                    layer.fire(begin, np.flatnonzero(by_position[index][t]))
        classes = self._layers[-1].sweep
        done = begin + classes + 6 + 2 * (classes - 1) + 1
        self._layers[-1].result_taken = done + 1
        return SampleCycles(start=start, accepted=self._input.accepted, steps=traced, done=done)

    @staticmethod
    def _integrate(layer: _Layer, feed: _Serializer | _Input) -> int:
        """All events of a step; returns the cycle in which the feed-forward mark is taken."""
        while True:
            ready = layer.ready
            head = feed.head
            delayed = layer.delayed.head
            assert head is not None
            if delayed is not None and delayed.axon is None:
                layer.complete = delayed.offered + 1
                layer.delayed.take(delayed.offered)
                continue
            if delayed is not None and not (head.axon is not None and max(ready, head.offered) < delayed.offered):
                cycle = max(ready, delayed.offered)
                assert delayed.axon is not None
                layer.take(layer.image.spec.inputs + delayed.axon, cycle)
                layer.delayed.take(cycle)
                continue
            cycle = max(ready, head.offered)
            if head.axon is None:
                cycle = max(cycle, layer.complete)
                feed.take(cycle)
                return cycle
            layer.take(head.axon, cycle)
            feed.take(cycle)


def _arriving(spikes: npt.NDArray[np.bool_], delays: IntArray) -> list[IntArray]:
    """Positions of the neurons whose delayed spikes arrive in each step, (T + 1,) lists."""
    steps, neurons = spikes.shape
    arrives = np.zeros((steps + 1, neurons), dtype=np.bool_)
    sent, neuron = np.nonzero(spikes)
    at = sent + 1 + delays[neuron]
    arrives[at[at <= steps], neuron[at <= steps]] = True
    return [np.flatnonzero(row) for row in arrives]
