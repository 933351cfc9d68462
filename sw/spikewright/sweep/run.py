"""Sweeps: a grid of trainings, one folder each, on all cores of this machine or on a Dask cluster."""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spikewright.contract.errors import InputError, errors_in
from spikewright.learn.config import Config, from_dict, load_config, override
from spikewright.learn.validation import FEW_SAMPLES, warn_if_few
from spikewright.support.files import DIVERGED, RESULT, read_json
from spikewright.support.progress import bar
from spikewright.support.settings import brief, difference
from spikewright.support.shipped import is_sample
from spikewright.sweep.worker import Ending, Job, Training

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Point:
    """A training of the grid and the name of its folder."""

    name: str
    config: Config


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a sweep varies. An empty list leaves the configuration's value.

    Parameters
    ----------
    lambdas : list of float
        Trainings with a fixed lambda (`training.lam`, and `training.target_sparsity` 0).
    sparsities : list of float
        Trainings whose lambda is steered to a share of zero weights (`training.target_sparsity`); beside those with a
        fixed lambda, if there are both.
    seeds : list of int
    optimizers, schedules : list of str
        Adam has neither lambda nor target: it is trained once for each schedule and seed.
    vary : dict
        Further settings by name, each with its values in the user's spelling.
    """

    lambdas: Sequence[float] = ()
    sparsities: Sequence[float] = ()
    seeds: Sequence[int] = ()
    optimizers: Sequence[str] = ()
    schedules: Sequence[str] = ()
    vary: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        for name in ("lambdas", "sparsities", "seeds", "optimizers", "schedules"):
            _require_different(name, getattr(self, name))
        for name, values in (self.vary or {}).items():
            _require_different(f"values of {name}", values)

    def points(self, config: Config) -> list[Point]:
        """The trainings, all of one seed before those of the next, so that the picture is whole early.

        Raises
        ------
        InputError
            If a value does not fit its setting.
        """
        training = config.training
        vary = self.vary or {}
        points: list[Point] = []
        for seed, schedule, values, optimizer in itertools.product(
            self.seeds or [training.seed],
            self.schedules or [training.schedule],
            list(itertools.product(*vary.values())),
            self.optimizers or [training.optimizer],
        ):
            settings = {"training.optimizer": optimizer, "training.schedule": schedule, "training.seed": str(seed)}
            settings |= dict(zip(vary, values, strict=True))
            rest = [_label(name, value) for name, value in zip(vary, values, strict=True)]
            for sparse in self._sparseness(training.lam, training.target_sparsity, optimizer):
                target = [f"{key}{brief(value)}" for key, value in sparse.items()]
                name = "-".join([optimizer, *target, schedule, *rest, f"seed{seed}"])
                # Adam has no target, though the configuration that it is compared under may have one.
                plain = {"training.target_sparsity": "0.0"} if optimizer == "adam" else {}
                points.append(Point(name, override(config, plain | settings | _settings(sparse))))
        names = [point.name for point in points]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"points of the sweep must have different names, not {name} twice")
        return points

    def _sparseness(self, lam: float, target: float, optimizer: str) -> list[dict[str, float]]:
        if optimizer == "adam":
            return [{}]
        if not self.lambdas and not self.sparsities:
            return [{"sparsity": target} if target else {"lam": lam}]
        return [{"lam": value} for value in self.lambdas] + [{"sparsity": value} for value in self.sparsities]


def _require_different(name: str, values: Sequence[object]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise InputError(f"{name} must be different, not {value} twice")


def _settings(sparse: dict[str, float]) -> dict[str, str]:
    if "lam" in sparse:
        return {"training.lam": repr(sparse["lam"]), "training.target_sparsity": "0.0"}
    return {"training.target_sparsity": repr(sparse["sparsity"])} if sparse else {}


def _label(name: str, value: str) -> str:
    """Part of a folder's name: rate_penalty0.1, layers.1.max_delay20."""
    short = name.removeprefix("network.").removeprefix("training.").removeprefix("augment.").removeprefix("data.")
    return short + re.sub(r"[^\w.+]+", "_", value).strip("_")


class Executor(Protocol):
    """Where trainings run."""

    @property
    def free(self) -> int:
        """Trainings that may be submitted now."""

    def submit(self, name: str, job: Job) -> None: ...

    def ended(self) -> list[tuple[str, Ending]]:
        """Those that ended since the last call."""

    def stop(self) -> None:
        """End all that run; they can be resumed."""


class LocalExecutor:
    """Trainings on this machine, at most `jobs` at a time, in a process each."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._running: dict[str, Training] = {}

    @property
    def free(self) -> int:
        return self._jobs - len(self._running)

    def submit(self, name: str, job: Job) -> None:
        self._running[name] = Training(job)

    def ended(self) -> list[tuple[str, Ending]]:
        found = [(name, ending) for name, run in self._running.items() if (ending := run.ending()) is not None]
        for name, _ in found:
            del self._running[name]
        return found

    def stop(self) -> None:
        for run in self._running.values():
            run.stop()
        self._running.clear()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def sweep(
    config: Config | str | Path,
    data_dir: Path | str,
    out_dir: Path | str,
    grid: Grid,
    *,
    settings: dict[str, str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    retry: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """Train a grid; continue where an earlier sweep stopped.

    Parameters
    ----------
    config : Config, or TOML file, or name of a shipped configuration
    data_dir : Path
        Folder with the recordings.
    out_dir : Path
        Gets a run folder per point of the grid, named after the point.
    grid : Grid
    settings : dict, optional
        Overrides for all points, in the user's spelling.
    jobs : int, optional
        Trainings at a time, by default one per core; the cores are divided among them. Environment variable
        OMP_NUM_THREADS overrides the threads of each.
    scheduler : str, optional
        Address of a Dask scheduler whose workers do the trainings instead of this machine. They must see the same
        folders under the same names.
    retry : bool
        Train those again that diverged.
    device : "cpu", "cuda" or "auto"
        Device of every training.

    Returns
    -------
    dict
        JSON-ready: out, finished and failed (numbers of points), and points, each with name, status ("finished",
        "diverged", "refused" for bad input, "crashed"), message (None if finished), epochs, accuracy, sparsity and
        seconds (None unless finished).

    Raises
    ------
    InputError
        If the configuration or the grid is wrong, a folder holds a run of another configuration, or the data fits
        none of the trainings.
    """
    config = override(config, settings or {}) if isinstance(config, Config) else load_config(config, settings)
    out_dir = Path(out_dir)
    sample = is_sample(data_dir)
    data_dir = Path(data_dir) if sample else Path(data_dir).resolve()
    if not (sample or data_dir.is_dir()):
        raise InputError(f"data must be a folder, not {data_dir}")
    points = grid.points(config)
    for point in points:
        _check_folder(out_dir / point.name, point.config)
    run = _Sweep(points, data_dir, out_dir, retry, device)
    if run.waiting:
        executor = _executor(scheduler, min(jobs or cores(), len(run.waiting)))
        try:
            run.train(executor, _threads(min(jobs or cores(), len(run.waiting))))
        finally:
            executor.stop()
            run.bar.close()
    return run.report()


def _executor(scheduler: str | None, jobs: int) -> Executor:
    if scheduler is None:
        return LocalExecutor(jobs)
    from spikewright.sweep.dask import DaskExecutor

    return DaskExecutor(scheduler)


def _threads(jobs: int) -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else max(1, cores() // jobs)


def _check_folder(folder: Path, config: Config) -> None:
    """Raise InputError if the folder holds a run of another configuration."""
    path = folder / "config.json"
    if not path.exists():
        return
    with errors_in(path):
        present: Config = from_dict(read_json(path, "configuration"))
    if name := difference(present.to_dict(), config.to_dict(), but=("training.epochs",)):
        raise InputError(f"{folder} must hold a run of the same configuration, not one of another {name}")
    if (done := _epochs_logged(folder)) > config.training.epochs:
        raise InputError(f"epochs must be at least {done}, those that {folder} has done, not {config.training.epochs}")


def _epochs_logged(folder: Path) -> int:
    try:
        return (folder / "log.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def _earlier_ending(folder: Path, config: Config) -> Ending | None:
    """How a run ended that needs no more training; None if there is something left to do."""
    if not (folder / "config.json").is_file():
        return None
    if (folder / DIVERGED).is_file():
        return Ending("diverged", str(read_json(folder / DIVERGED, "record").get("message", "")))
    whole = (folder / RESULT).is_file() and (folder / "checkpoint.safetensors").is_file()
    return Ending("finished") if whole and _epochs_logged(folder) == config.training.epochs else None


class _Sweep:
    """Points that wait, run and have ended, and the progress line."""

    def __init__(self, points: list[Point], data_dir: Path, out_dir: Path, retry: bool, device: str) -> None:
        self.points, self.data_dir, self.out_dir, self.device = points, data_dir, out_dir, device
        self.endings: dict[str, Ending] = {}
        for point in points:
            ending = _earlier_ending(out_dir / point.name, point.config)
            if ending is not None and not (retry and ending.status == "diverged"):
                self.endings[point.name] = ending
        self.waiting = [point for point in points if point.name not in self.endings]
        self.running: dict[str, Point] = {}
        self.found = len(self.endings)
        self.shown = (-1, "")
        total = sum(point.config.training.epochs for point in self.waiting)
        self.bar = bar(total=total, unit="epoch", show=bool(self.waiting))

    def train(self, executor: Executor, threads: int) -> None:
        waiting = list(self.waiting)
        done = 0
        while waiting or self.running:
            while waiting and executor.free > 0:
                point = waiting.pop(0)
                folder = str((self.out_dir / point.name).resolve())
                job = Job(point.config.to_dict(), str(self.data_dir), folder, threads, self.device)
                executor.submit(point.name, job)
                self.running[point.name] = point
            for name, ending in executor.ended():
                point = self.running.pop(name)
                self._note(point, ending)
                done += point.config.training.epochs
            logged = sum(_epochs_logged(self.out_dir / name) for name in self.running)
            self._show(done + logged, len(waiting))
            if waiting or self.running:
                time.sleep(_POLL_SECONDS)

    def _note(self, point: Point, ending: Ending) -> None:
        if ending.status == "finished" and _earlier_ending(self.out_dir / point.name, point.config) is None:
            where = (self.out_dir / point.name).resolve()
            ending = Ending("crashed", f"{where} lacks the run's files: do the workers see the same folders?")
        trained = len(self.endings) > self.found or any(_epochs_logged(self.out_dir / p.name) for p in self.points)
        if ending.status == "refused" and not trained:
            # Nothing has worked yet: this is not about one point.
            raise InputError(ending.message)
        self.endings[point.name] = ending
        text = ending.message or "finished"
        self.bar.write(f"{point.name}: {text}", file=sys.stderr)

    def _show(self, epochs: int, waiting: int) -> None:
        failed = sum(ending.status != "finished" for ending in self.endings.values())
        finished = len(self.endings) - failed
        text = f"{finished} of {len(self.points)} trained, {len(self.running)} running, {waiting} waiting"
        text += f", {failed} failed" if failed else ""
        if (epochs, text) != self.shown:
            self.shown = (epochs, text)
            self.bar.n = epochs
            self.bar.set_description(text)

    def report(self) -> dict[str, Any]:
        rows = []
        held = []
        for point in self.points:
            ending = self.endings[point.name]
            row: dict[str, Any] = {"name": point.name, "status": ending.status, "message": ending.message or None}
            row |= {"epochs": _epochs_logged(self.out_dir / point.name)}
            result: dict[str, Any] = {}
            if ending.status == "finished":
                result = read_json(self.out_dir / point.name / RESULT, "result")
            rows.append({**row, **{key: result.get(key) for key in ("accuracy", "sparsity", "seconds")}})
            held.append(result.get("validation_samples", FEW_SAMPLES))
        if self.found < len(rows):
            warn_if_few(min(held))
        finished = sum(row["status"] == "finished" for row in rows)
        return {"out": str(self.out_dir), "finished": finished, "failed": len(rows) - finished, "points": rows}
