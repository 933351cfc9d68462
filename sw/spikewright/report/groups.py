"""Runs that differ in nothing but their seed, and what tells one group from another."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from spikewright.learn.config import Config, without_effect
from spikewright.report.runs import Run
from spikewright.support.settings import Value, brief, flatten

OPTIMIZERS = {"adam": "Adam", "adabreg": "AdaBreg", "linbreg": "LinBreg"}
SCHEDULES = {"onecycle": "one-cycle", "cosine": "cosine", "none": "no schedule"}

_HARDWARE = ("training.rate_penalty", "max_delay")
"""Settings that make hardware cheaper at some accuracy; they have figures of their own."""


def relevant(config: Config) -> dict[str, Value]:
    """The settings that a training depends on, without its seed and without those that do nothing."""
    ignored = {"training.seed", *without_effect(config)}
    return {name: value for name, value in flatten(config.to_dict()).items() if name not in ignored}


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (None for one value) over the seeds."""

    mean: float
    deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one configuration with different seeds.

    Parameters
    ----------
    runs : tuple of Run
        The runs, by rising seed.
    variant : str
        The settings in which groups of the same network differ beyond optimizer, schedule, lambda and target:
        "lr 0.01, clip 1"; empty if they do not.
    base : str
        The same without `rate_penalty` and `max_delay`.
    """

    runs: tuple[Run, ...]
    variant: str = ""
    base: str = ""

    @property
    def config(self) -> Config:
        return self.runs[0].config

    @property
    def finished(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.status == "finished")

    @property
    def network(self) -> str:
        """Neurons by layer, with the data set unless it is in the format of SHD: "ssc 140-256-256-256-35"."""
        return network_name(self.config)

    @property
    def method(self) -> tuple[str, str]:
        """Optimizer and schedule."""
        return self.config.training.optimizer, self.config.training.schedule

    @property
    def lam(self) -> float | None:
        """The fixed lambda, None for Adam or a target sparsity."""
        training = self.config.training
        return None if training.optimizer == "adam" or training.target_sparsity else training.lam

    @property
    def target(self) -> float | None:
        """The target sparsity, None for Adam or a fixed lambda."""
        training = self.config.training
        return None if training.optimizer == "adam" else training.target_sparsity or None

    @property
    def sparseness(self) -> str:
        """ "λ = 0.1", "target 90 %", or nothing for Adam."""
        if self.lam is not None:
            return f"λ = {brief(self.lam)}"
        return "" if self.target is None else f"target {percent(self.target)}"

    def spread(self, value: Callable[[Run], float]) -> Spread:
        """Of a figure of the finished runs; there must be one at least."""
        return Spread.of([value(run) for run in self.finished])


def network_name(config: Config) -> str:
    layers = [config.network.inputs, *(layer.neurons for layer in config.network.layers), config.network.classes]
    # Recordings of one's own and synthetic ones have the format of SHD too.
    name = "" if config.data.name == "shd" else f"{config.data.name} "
    return name + "-".join(map(str, layers))


def percent(share: float) -> str:
    return f"{round(100 * share, 4):g} %"


def method_name(method: tuple[str, str]) -> str:
    return f"{OPTIMIZERS[method[0]]}, {SCHEDULES[method[1]]}"


def group(runs: Iterable[Run]) -> list[Group]:
    """Groups in a fixed order: by network, variant, optimizer, schedule, target and lambda."""
    members: dict[tuple[tuple[str, Value], ...], list[Run]] = {}
    for run in runs:
        members.setdefault(tuple(sorted(relevant(run.config).items())), []).append(run)
    settings: dict[str, dict[str, set[Value]]] = {}
    for key, (run, *_) in members.items():
        values = settings.setdefault(network_name(run.config), {})
        for name, value in key:
            if name not in _axes(dict(key)):
                values.setdefault(name, set()).add(value)
    groups = []
    for key, (run, *rest) in members.items():
        varying = {name for name, values in settings[network_name(run.config)].items() if len(values) > 1}
        groups.append(
            Group(
                tuple(sorted([run, *rest], key=lambda item: (item.config.training.seed, item.name))),
                variant=_variant(key, varying, ()),
                base=_variant(key, varying, _HARDWARE),
            )
        )
    return sorted(groups, key=_order)


def _axes(settings: dict[str, Value]) -> set[str]:
    """Settings that figures and tables show anyway; lambda only where it is fixed."""
    shown = {"training.optimizer", "training.schedule", "training.target_sparsity"}
    return shown if settings.get("training.target_sparsity") else shown | {"training.lam"}


def _variant(key: tuple[tuple[str, Value], ...], varying: set[str], without: tuple[str, ...]) -> str:
    parts = []
    for name, value in key:
        if name in varying - _axes(dict(key)) and not (without and name.endswith(without)):
            short = name.removeprefix("training.").removeprefix("network.").removeprefix("augment.")
            parts.append(f"{short} {brief(value)}")
    return ", ".join(parts)


def _order(item: Group) -> tuple[object, ...]:
    optimizer, schedule = item.method
    ranks = list(OPTIMIZERS).index(optimizer), list(SCHEDULES).index(schedule)
    return item.network, item.variant, *ranks, item.target or 0.0, item.lam or 0.0, item.runs[0].name
