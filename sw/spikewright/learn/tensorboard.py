"""The epochs of a training for TensorBoard, beside `log.jsonl`, which has the same numbers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.learn.sparsity import sparsity

FOLDER = "tensorboard"
"""Of a run's folder."""
_FILES = "events.out.tfevents.*"


def require_tensorboard() -> None:
    """Raise InputError if TensorBoard is not installed."""
    if util.find_spec("tensorboard") is None:
        raise InputError(
            "--tensorboard needs TensorBoard, which is not installed: pip install 'spikewright[tensorboard]'"
        )


class TensorBoard:
    """Scalars of a training: loss, accuracy, sparsity of every weight matrix, rates of all layers, lambda and others.

    A step is an epoch. A training that is continued adds to what is there; of an epoch that was done twice, as the
    first time was interrupted, TensorBoard shows the second.

    Parameters
    ----------
    run_dir : Path
        Folder of the run.
    done : int
        Epochs that are done. At 0, what an earlier training left is removed.
    target : float
        Sparsity that the training is steered to; 0 if to none.

    Raises
    ------
    InputError
        If TensorBoard is not installed.
    """

    def __init__(self, run_dir: Path, done: int, target: float) -> None:
        require_tensorboard()
        library: Any = importlib.import_module("torch.utils.tensorboard")
        folder = run_dir / FOLDER
        if not done:
            for file in folder.glob(_FILES):
                file.unlink()
        self._writer = library.SummaryWriter(str(folder), purge_step=done + 1 if done else None)
        self._target = target

    def write(self, entry: Mapping[str, Any], matrices: Mapping[str, Tensor]) -> None:
        """Write an epoch: its entry in `log.jsonl`, and the weight matrices by name."""
        scalars = {
            "loss/training": entry["loss"],
            "loss/validation": entry["validation_loss"],
            "accuracy/training": entry["accuracy"],
            "accuracy/validation": entry["validation_accuracy"],
            "sparsity/all": entry["sparsity"],
            **({"sparsity/target": self._target} if self._target else {}),
            **{f"sparsity/{name}": sparsity([matrix]) for name, matrix in matrices.items()},
            **{f"rate/layers.{index}": rate for index, rate in enumerate(entry["rates"])},
            **{f"training/{name}": entry[key] for name, key in _SETTINGS.items()},
        }
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, entry["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


_SETTINGS = {"lambda": "lam", "sigma": "sigma", "learning_rate": "lr"}
"""Names of what changes over the epochs, and its key in the log."""
