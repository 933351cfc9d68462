import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data.info import info


def write(path: Path, rows: list[tuple[list[float], list[int]]], extra: dict[str, Any], labels: list[int]) -> Path:
    with h5py.File(path, "w") as file:
        for k, (part, kind) in enumerate((("times", np.float32), ("units", np.uint16))):
            data = file.create_dataset(f"spikes/{part}", (len(rows),), dtype=h5py.vlen_dtype(kind))
            for i, row in enumerate(rows):
                data[i] = np.array(row[k], kind)
        file["labels"] = np.array(labels, np.uint8)
        for name, value in extra.items():
            file[f"extra/{name}"] = value
    return path


def test_figures_of_three_samples(tmp_path: Path) -> None:
    rows: list[tuple[list[float], list[int]]] = [
        ([0.25, 0.25, 0.75], [0, 4, 699]),
        ([], []),
        ([0.5, 2.0], [7, 7]),
    ]
    extra = {"speaker": [3, 3, 11], "keys": np.array(["yes", "no", "never"], "S")}
    path = write(tmp_path / "file.h5", rows, extra, [0, 0, 1])
    report = info(path)
    # Two seconds in all; channel 7 has two spikes, 0, 4 and 699 one each.
    assert report == {
        "file": str(path),
        "samples": 3,
        "classes": 3,
        "keys": ["yes", "no", "never"],
        "samples_per_class": [2, 1, 0],
        "speakers": {"3": 2, "11": 1},
        "channels": 700,
        "channels_used": 4,
        "duration_s": {"min": 0.0, "mean": 0.6667, "max": 1.5},
        "spikes": {"min": 0, "mean": 1.6667, "max": 3},
        "rate_hz": {"median": 0.0, "min": 0.0, "mean": 0.0036, "max": 1.0},
        "events": {"min": 0, "mean": 1.0, "max": 2},
        "largest_count": 2,
        "dropped_spikes": 1,
        "binning": {"timesteps": 100, "timestep": 0.01, "bin_width": 5},
    }
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_binning_is_the_callers(tmp_path: Path) -> None:
    path = write(tmp_path / "file.h5", [([0.0, 0.5], [0, 4])], {}, [0])
    report = info(path, timesteps=1, timestep=1.0, bin_width=1)
    assert report["events"]["max"] == 2 and report["largest_count"] == 1 and report["dropped_spikes"] == 0


def test_file_without_samples_or_names(tmp_path: Path) -> None:
    report = info(write(tmp_path / "file.h5", [], {}, []))
    assert report["samples"] == report["classes"] == report["largest_count"] == 0
    assert report["speakers"] == {} and report["samples_per_class"] == []
    assert report["spikes"] == {"min": None, "mean": None, "max": None}
    assert report["rate_hz"] == {"median": None, "min": None, "mean": None, "max": None}


def test_more_than_255_spikes_in_a_bin_are_reported(tmp_path: Path) -> None:
    assert info(write(tmp_path / "file.h5", [([0.1] * 300, [0] * 300)], {}, [0]))["largest_count"] == 300


def test_bad_sample(tmp_path: Path) -> None:
    path = write(tmp_path / "file.h5", [([0.1], [700])], {}, [0])
    with pytest.raises(InputError) as error:
        info(path)
    assert str(error.value) == f"{path}: sample 0: spikes/units must be between 0 and 699, not 700"


def test_bad_binning(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^bin_width must divide 700, not 6$"):
        info(write(tmp_path / "file.h5", [], {}, []), bin_width=6)
