"""Training of spiking networks, resumable at every epoch with the same result.

A run's folder holds `config.json` (the resolved configuration), `log.jsonl` (one JSON object per epoch),
`state.safetensors` (where to resume) and `checkpoint.safetensors` (the best epoch on the validation part, which
rebuilds the model alone).
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spikewright.learn.config import Config, load_config, override
from spikewright.learn.run import Run
from spikewright.learn.samples import load_parts
from spikewright.learn.tensorboard import TensorBoard, require_tensorboard
from spikewright.learn.validation import warn_if_few
from spikewright.support.locks import locked
from spikewright.support.parallel import GRAPHS, choose_device, launched, processes

if TYPE_CHECKING:
    from spikewright.data.shd import SpikeData


def train(
    config: Config | str | Path,
    data: Path | str | SpikeData,
    out_dir: Path | str,
    settings: dict[str, str] | None = None,
    resume: bool = True,
    device: str = "cpu",
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Train a network on the training part of a data set.

    Parameters
    ----------
    config : Config, or TOML file, or name of a shipped configuration
    data : Path or SpikeData
        Folder with the files of the data set that the configuration names, or samples to train on.
    out_dir : Path
        Folder of the run; created if missing.
    settings : dict, optional
        Overrides in the user's spelling, `{"epochs": "20"}`.
    resume : bool
        Continue a run of the same configuration that `out_dir` holds, also to more epochs than it was begun with; else
        start afresh.
    device : "cpu", "cuda", "cuda-graph" or "auto"
        With graphs, a GPU launches all kernels of a step at once, if it is a spiking network and there is one process.
        Started by torchrun, the processes share the work, with equal results but for the rounding of sums; the first
        one writes. `out_dir` must then be the same folder for all of them.
    tensorboard : bool
        Write the epochs for TensorBoard too, into the folder `tensorboard` in `out_dir`.

    Returns
    -------
    dict
        JSON-ready: checkpoint, epochs, best_epoch, accuracy (of the validation part), sparsity, rates, seconds,
        device, processes; reason (why the best_epoch is the best); most_accurate (epoch, accuracy and sparsity of the
        most accurate epoch on the validation part); choice (why that one is not the best_epoch, or that none reached
        the target sparsity; or None).

    Raises
    ------
    InputError
        If the configuration, the data or what `out_dir` holds does not fit, another process trains there, or
        TensorBoard is asked for and not installed.
    CheckFailed
        If the training diverges.
    """
    if tensorboard:
        require_tensorboard()
    config = override(config, settings or {}) if isinstance(config, Config) else load_config(config, settings)
    with locked(out_dir, "trains") if launched().primary else nullcontext():
        return train_locked(config, data, out_dir, resume, device, tensorboard)


def train_locked(
    config: Config,
    data: Path | str | SpikeData,
    out_dir: Path | str,
    resume: bool = True,
    device: str = "cpu",
    tensorboard: bool = False,
) -> dict[str, Any]:
    """As `train`, in a folder that the caller has locked."""
    place = choose_device(device)
    training, validation = load_parts(config, Path(data) if isinstance(data, str) else data)
    out_dir = Path(out_dir)
    with torch.random.fork_rng(devices=[]), processes(place) as group:
        torch.manual_seed(config.training.seed)
        run = Run(config, training, validation, out_dir, place, group, device == GRAPHS)
        if resume and run.state_path.exists():
            run.restore()
        elif config.training.start:
            run.begin_with(config.training.start)
        group.check_equal(run.epoch, "epoch to resume from")
        run.start_log()
        if group.primary and config.training.keep == "best":
            warn_if_few(len(validation))
        if group.primary and tensorboard:
            run.board = TensorBoard(run.out_dir, run.epoch, run.target)
        try:
            for epoch in range(run.epoch, config.training.epochs):
                run.train_epoch(epoch)
        finally:
            run.bar.close()
            if run.board is not None:
                run.board.close()
    return run.report()
