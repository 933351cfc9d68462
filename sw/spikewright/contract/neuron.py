"""Neurons in integers: what becomes of a membrane at the end of a step. Each is a module of `contract.neurons`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from spikewright.contract import found

_PACKAGE = "spikewright.contract.neurons"
USUAL = "lif"
"""The neuron of a description that names none."""


@dataclass(frozen=True)
class Neuron(ABC):
    """The integer rule of the neurons of a layer.

    A step adds the bias and all weighted events to what the step before has carried over. Their sum `u` decides::

        fired = u >= fires_from(threshold)
        v = after_spike(u, threshold) where fired, else at_rest(u, threshold)
        carried = decay(v)

    A subclass is a frozen dataclass, the only neuron of its module in `spikewright.contract.neurons`, and the module
    has its name. Its fields decide about the circuit: they are the same for a whole layer, are stored as JSON, and
    check themselves. The float neuron of the same name is in `spikewright.learn.neurons`, the circuit in
    `spikewright_hw.neurons`.

    The methods below are written with `+`, `-`, `*`, `>>` and comparisons alone: the same text computes with NumPy
    arrays, with tensors, and with the signals of a proof. Of two membranes that fire, the higher one must not be left
    with less by `after_spike`, nor of two others by `at_rest`: so the ends of a range tell the ends of what becomes of
    it. With a threshold of 1 a neuron whose `u` is 0 must stay at 0 and silent, as positions without a neuron do.
    """

    @property
    def name(self) -> str:
        """That of the module."""
        return type(self).__module__.rpartition(".")[2]

    def fires_from(self, threshold: Any) -> Any:
        """The lowest membrane that fires."""
        return threshold

    @abstractmethod
    def after_spike(self, u: Any, threshold: Any) -> Any:
        """What is left of a membrane that fired."""

    def at_rest(self, u: Any, threshold: Any) -> Any:
        """What is left of a membrane that did not fire."""
        return u

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
        """Name and fields, JSON-ready; the usual neuron goes without its name."""
        return {**({} if self.name == USUAL else {"neuron": self.name}), **asdict(self)}


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
    return of(**{field.name: values[field.name] for field in fields(of)})


def usual_neuron() -> Neuron:
    """Of a layer that is described without a neuron."""
    return neuron_type(USUAL)()


def all_neurons() -> tuple[Neuron, ...]:
    """All variants of all neurons."""
    return tuple(variant for name in neuron_names() for variant in neuron_type(name).variants())
