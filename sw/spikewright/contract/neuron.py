"""Neurons in integers: what becomes of a membrane at the end of a step. Each is a module of `contract.neurons`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from spikewright.contract import found
from spikewright.contract.decay import Leak

_PACKAGE = "spikewright.contract.neurons"
OPTIONAL: Mapping[str, Any] = {"optional": True}
"""Metadata of a field that a description leaves out where it has its default."""
USUAL = "lif"
"""The neuron of a description that names none."""


@dataclass(frozen=True)
class Neuron(ABC):
    """The integer rule of the neurons of a layer.

    A step adds the bias and all weighted events to what the step before has carried over. Their sum `u` decides::

        fired = u >= fires_from(threshold, before)
        v = after_spike(u, threshold) where fired, else at_rest(u, threshold, before), or the floor if that is higher
        carried = carried(v, fired, threshold, decay), by default decay(v)

    A neuron that `remembers` keeps a bit beside its membrane, `remembered(v, fired, threshold)`, which is `before` in
    the next step, and 0 in the first one of a sample and of other neurons.

    A subclass is a frozen dataclass, the only neuron of its module in `spikewright.contract.neurons`, and the module
    has its name. Its fields decide about the circuit: they are the same for a whole layer, are stored as JSON, and
    check themselves. The float neuron of the same name is in `spikewright.learn.neurons`, the circuit in
    `spikewright_hw.neurons`.

    The methods below are written with `+`, `-`, `*`, `>>` and comparisons alone: the same text computes with NumPy
    arrays, with tensors, and with the signals of a proof. Of two membranes that fire, the higher one must not be left
    with less, nor carry less over, and neither of two others: so the ends of a range tell the ends of what becomes of
    it. What a spike leaves must be at least 0, so that no floor is above it. With a threshold of 1 a neuron whose `u`
    is 0 must stay at 0 and silent, as positions without a neuron do.
    """

    @property
    def name(self) -> str:
        """That of the module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def most(self) -> int:
        """Most spikes of a neuron in one step, 1 .. 255; above 1 an event carries their number."""
        return 1

    def count(self, u: Any, threshold: Any) -> Any:
        """How many spikes a membrane that fires sends in the step: 1 .. `most`."""
        return 1

    def limited(self, most: int) -> Neuron:
        """The same neuron, with at most so many spikes in a step: no more than there were."""
        return self

    def left_after(self, low: Any, high: Any, threshold: Any) -> tuple[Any, Any]:
        """Range of `after_spike` of arrays of membranes from `low` to `high`, which all fire."""
        return self.after_spike(low, threshold), self.after_spike(high, threshold)

    @property
    def remembers(self) -> bool:
        """Whether a bit is kept from one step to the next."""
        return False

    def fires_from(self, threshold: Any, before: Any = 0) -> Any:
        """The lowest membrane that fires."""
        return threshold

    @abstractmethod
    def after_spike(self, u: Any, threshold: Any) -> Any:
        """What is left of a membrane that fired."""

    def at_rest(self, u: Any, threshold: Any, before: Any = 0) -> Any:
        """What is left of a membrane that did not fire."""
        return u

    def remembered(self, v: Any, fired: Any, threshold: Any) -> Any:
        """The bit that is kept, 0 or 1; of a higher membrane not a lower one."""
        return 0

    def carried(self, v: Any, fired: Any, threshold: Any, decay: Leak) -> Any:
        """What the next step begins with, but for its bias; `fired` is 0 or 1."""
        return decay(v)

    @classmethod
    def variants(cls) -> Sequence[Neuron]:
        """One of every circuit that there is: all of them are proven, and drawn for random networks."""
        return (cls(),)

    @property
    def label(self) -> str:
        """A few words that tell the variants apart."""
        return self.name

    @property
    @abstractmethod
    def luts_per_bit(self) -> int:
        """LUTs for each bit of a membrane, of what is left of it after a step: the leak and the bias excluded."""

    def as_dict(self) -> dict[str, Any]:
        """Name and fields, JSON-ready; the usual neuron goes without its name, see also `OPTIONAL`."""
        values = asdict(self)
        for field in fields(self):
            if field.metadata == OPTIONAL and values[field.name] == field.default:
                del values[field.name]
        return {**({} if self.name == USUAL else {"neuron": self.name}), **values}


def neuron_names() -> tuple[str, ...]:
    """Names of all neurons."""
    return found.names(_PACKAGE, (USUAL,))


def neuron_type(name: Any) -> type[Neuron]:
    """The neuron of a name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in neuron_names():
        raise ValueError(f"neuron must be one of {', '.join(neuron_names())}, not {name!r:.60}")
    of: type[Neuron] = found.class_in(_PACKAGE, name, Neuron)
    return of


def neuron_from(values: Mapping[str, Any]) -> Neuron:
    """The neuron that `Neuron.as_dict` described; other values may stand beside its own.

    Raises
    ------
    KeyError
        If a field is missing.
    ValueError
        If there is no such neuron, or a field has another value than the neuron allows.
    """
    of = neuron_type(values.get("neuron", USUAL))
    needed = (field.name for field in fields(of) if field.metadata != OPTIONAL or field.name in values)
    return of(**{name: values[name] for name in needed})


def usual_neuron() -> Neuron:
    """Of a layer that is described without a neuron."""
    return neuron_type(USUAL)()


def all_neurons() -> tuple[Neuron, ...]:
    """All variants of all neurons."""
    return tuple(variant for name in neuron_names() for variant in neuron_type(name).variants())
