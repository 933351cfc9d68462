"""Run folders, read as what they are: files by anybody. Nothing in them is run, and what does not fit is refused."""

from __future__ import annotations

import codecs
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import read_checkpoint
from spikewright.learn.config import Config, from_dict
from spikewright.learn.networks import SpikingNetwork
from spikewright.support.files import read_json
from spikewright.support.settings import difference

Status = Literal["finished", "diverged", "unfinished"]
_LOG_BYTES = 256 << 20


@dataclass(frozen=True)
class Epoch:
    """A line of a log: losses in nats per sample, accuracies and sparsity 0 .. 1, firing rates by layer."""

    number: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    sparsity: float
    lam: float
    rates: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """A training as its folder tells it.

    Parameters
    ----------
    name : str
        Path below the folder that was given.
    config : Config
    epochs : tuple of Epoch
    status : "finished", "diverged" or "unfinished"
    message : str
        Why it diverged, or how far it got.
    best : Epoch or None
        The epoch of the checkpoint, None unless finished.
    network : SpikingNetwork or None
        The checkpoint, None unless finished.
    """

    name: str
    config: Config
    epochs: tuple[Epoch, ...]
    status: Status
    message: str = ""
    best: Epoch | None = None
    network: SpikingNetwork | None = None

    @property
    def weights(self) -> int:
        """Entries of all weight matrices, zeros included."""
        total, width = 0, self.config.network.inputs
        for layer in self.config.network.layers:
            total += layer.neurons * (width + (layer.neurons if layer.recurrent else 0))
            width = layer.neurons
        return total + width * self.config.network.classes


def find(folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """Names and folders of all runs at or below `folders`, sorted; hidden folders and links are left out.

    Raises
    ------
    InputError
        If one of `folders` is not a folder, or has no run.
    """
    found: dict[Path, str] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"runs must be a folder, not {folder}")
        inside = []
        for place, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            if "config.json" in files and "log.jsonl" in files:
                inside.append(Path(place))
                names.clear()
        if not inside:
            raise InputError(f"runs must be folders by `spikewright train` or `spikewright sweep`: {folder} holds none")
        root = folder.resolve()
        for path in inside:
            below = path.resolve().relative_to(root).as_posix()
            name = root.name if below == "." else below if len(folders) == 1 else f"{root.name}/{below}"
            found.setdefault(path.resolve(), name)
    return sorted((name, path) for path, name in found.items())


def read(name: str, folder: Path) -> Run:
    """Read a run's folder.

    Raises
    ------
    InputError
        If a file is damaged or does not fit the others; names file, line and field.
    """
    path = folder / "config.json"
    try:
        config: Config = from_dict(read_json(path, "configuration"))
    except InputError as error:
        raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    epochs = _read_log(folder / "log.jsonl", config)
    asked = config.training.epochs
    if len(epochs) < asked or not (folder / "checkpoint.safetensors").exists():
        if (folder / "diverged.json").exists():
            message = read_json(folder / "diverged.json", "record").get("message")
            if not isinstance(message, str):
                raise InputError(f"{folder / 'diverged.json'}: message must be text, not {message!r:.60}")
            return Run(name, config, epochs, "diverged", " ".join(message.split())[:300])
        return Run(name, config, epochs, "unfinished", f"{len(epochs)} of {asked} epochs")
    path = folder / "checkpoint.safetensors"
    network, stored, info = read_checkpoint(path)
    # The best epoch may be from before the run was lengthened.
    if key := difference(stored.to_dict(), config.to_dict(), but=("training.epochs",)):
        raise InputError(f"{path}: metadata 'config' must be that of config.json, but {key} differs")
    number = info.get("epoch")
    if type(number) is not int or not 1 <= number <= len(epochs):
        raise InputError(f"{path}: epoch of metadata 'info' must be 1 .. {len(epochs)}, not {number!r:.60}")
    best = epochs[number - 1]
    if info.get("validation_accuracy") != best.validation_accuracy:
        raise InputError(
            f"{path}: validation_accuracy of metadata 'info' must be {best.validation_accuracy}, as in line {number} "
            f"of log.jsonl, not {info.get('validation_accuracy')!r:.60}"
        )
    return Run(name, config, epochs, "finished", "", best, network)


def _read_log(path: Path, config: Config) -> tuple[Epoch, ...]:
    try:
        with path.open("rb") as file:
            raw = file.read(_LOG_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if len(raw) > _LOG_BYTES:
        raise InputError(f"{path} must be at most {_LOG_BYTES} bytes, not more")
    # A line without its end is being written, or its writer was killed.
    lines = raw.removeprefix(codecs.BOM_UTF8).split(b"\n")[:-1]
    if len(lines) > config.training.epochs:
        raise InputError(f"{path} must have at most {config.training.epochs} lines, one per epoch, not {len(lines)}")
    return tuple(_read_line(line, path, number, config) for number, line in enumerate(lines, start=1))


def _read_line(line: bytes, path: Path, number: int, config: Config) -> Epoch:
    where = f"{path}, line {number}"
    try:
        values = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{where}: must be JSON, not {line[:40]!r}") from None
    if not isinstance(values, dict):
        raise InputError(f"{where}: must be a JSON object, not {line[:40]!r}")
    entry = _Entry(values, where)
    if entry.number("epoch") != number:
        entry.refuse("epoch", str(number))
    layers = len(config.network.layers)
    rates = values.get("rates")
    if not isinstance(rates, list) or len(rates) != layers or not all(_is_number(r) and 0 <= r <= 1 for r in rates):
        entry.refuse("rates", f"{layers} numbers from 0 to 1")
    return Epoch(
        number,
        entry.number("loss"),
        entry.share("accuracy"),
        entry.number("validation_loss"),
        entry.share("validation_accuracy"),
        entry.share("sparsity"),
        entry.number("lam"),
        tuple(float(rate) for rate in rates),
    )


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer beyond any float.
        return False


@dataclass(frozen=True)
class _Entry:
    values: dict[str, Any]
    where: str

    def refuse(self, name: str, constraint: str) -> NoReturn:
        given = f"{self.values[name]!r:.60}" if name in self.values else "left out"
        raise InputError(f"{self.where}: {name} must be {constraint}, not {given}")

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if not _is_number(value) or float(value) < 0:  # type: ignore[arg-type]
            self.refuse(name, "a number of at least 0")
        return float(value)  # type: ignore[arg-type]

    def share(self, name: str) -> float:
        value = self.number(name)
        if value > 1:
            self.refuse(name, "a number from 0 to 1")
        return value
