import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data import shd

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writer of small SHD-format files; a keyword of the value None leaves that part out."""

    def write(
        rows: list[tuple[list[float], list[int]]],
        *,
        labels: Any = "zeros",
        speakers: Any = None,
        keys: Any = None,
        times_type: Any = np.float16,
        units_type: Any = np.uint16,
        name: str = "file.h5",
    ) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for k, (part, kind) in enumerate((("times", times_type), ("units", units_type))):
                if kind is None:
                    continue
                data = file.create_dataset(f"spikes/{part}", (len(rows),), dtype=h5py.vlen_dtype(kind))
                for i, row in enumerate(rows):
                    data[i] = np.array(row[k], kind)
            if labels is not None:
                file["labels"] = np.zeros(len(rows), np.uint8) if isinstance(labels, str) else labels
            if speakers is not None:
                file["extra/speaker"] = speakers
            if keys is not None:
                file["extra/keys"] = keys
        return path

    return write


def ref_counts(times: list[float], units: list[int], timesteps: int, timestep: float, bin_width: int) -> Any:
    """One spike at a time, as the format's description says it."""
    counts = np.zeros((timesteps, 700 // bin_width), np.uint8)
    for time, unit in zip(times, units, strict=True):
        step = int((float(time) - float(min(times))) // timestep)
        if step < timesteps:
            counts[step, unit // bin_width] += 1
    return counts


def test_counts_equal_a_loop_over_spikes(write: Write) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (np.float16(np.sort(rng.uniform(0.0, 1.3, n))).astype(float).tolist(), rng.integers(0, 700, n).tolist())
        for n in (300, 0, 1, 2000)
    ]
    data = shd.load(write(rows, labels=np.arange(4), speakers=[7, 8, 9, 10], keys=np.array(list("abcd"), "S")))
    assert data.counts.shape == (4, 100, 140) and data.counts.dtype == np.uint8
    for counts, (times, units) in zip(data.counts, rows, strict=True):
        if times:
            assert np.array_equal(counts, ref_counts(times, units, 100, 0.010, 5))
        else:
            assert not counts.any()
    assert data.labels.tolist() == [0, 1, 2, 3]
    assert data.speakers.tolist() == [7, 8, 9, 10]
    assert data.keys == ("a", "b", "c", "d")
    assert len(data) == 4


def test_steps_are_counted_from_the_first_spike_and_half_open(write: Write) -> None:
    # 0.25 and its multiples are exact, so the boundary itself is tested; the rows need not be sorted.
    path = write([([1.0, 0.5, 0.75, 0.875, 1.25], [0, 0, 0, 699, 0])], times_type=np.float32)
    data = shd.load(path, timesteps=3, timestep=0.25, bin_width=350)
    assert data.counts[0].tolist() == [[1, 0], [1, 1], [1, 0]]


def test_float16_is_widened_before_the_subtraction(write: Write) -> None:
    # The difference is 1.00047..., which float16 arithmetic would round down to 1.
    path = write([([0.0005, 1.001], [0, 0])])
    assert np.float16(1.001) - np.float16(0.0005) == 1
    assert shd.load(path, timesteps=2, timestep=1.0002).counts.sum(axis=2).tolist() == [[1, 1]]


def test_absent_speakers_and_keys(write: Write) -> None:
    data = shd.load(write([([0.1], [0])] * 2, labels=np.array([0, 2])))
    assert data.speakers.tolist() == [-1, -1]
    assert data.keys == ("0", "1", "2")


def test_other_number_and_string_types(write: Write) -> None:
    keys = np.array(["a", "\u00fc"], h5py.string_dtype())
    path = write([([0.25, 0.5], [699, 1])], labels=np.array([1], ">i4"), keys=keys, times_type="f8", units_type="i8")
    data = shd.load(path, timesteps=2, timestep=0.25)
    assert data.labels.tolist() == [1] and data.keys == ("a", "\u00fc")
    assert np.argwhere(data.counts).tolist() == [[0, 0, 139], [0, 1, 0]]


def test_file_without_samples(write: Write) -> None:
    data = shd.load(write([]))
    assert data.counts.shape == (0, 100, 140) and data.keys == ()


def test_samples_select_rows(write: Write) -> None:
    path = write([([0.1] * n, [0] * n) for n in range(5)], labels=np.arange(5), speakers=np.arange(10, 15))
    assert shd.load(path, samples=2).counts.sum(axis=(1, 2)).tolist() == [0, 1]
    some = shd.load(path, samples=[4, 1, 1])
    assert some.counts.sum(axis=(1, 2)).tolist() == [4, 1, 1]
    assert some.labels.tolist() == [4, 1, 1]
    assert some.speakers.tolist() == [14, 11, 11]
    assert some.keys == ("0", "1", "2", "3", "4")


def test_more_rows_than_are_read_at_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shd, "_ROWS_AT_ONCE", 2)
    path = write([([0.1] * n, [n] * n) for n in range(5)])
    assert shd.load(path, bin_width=1).counts.sum(axis=1)[range(5), range(5)].tolist() == [0, 1, 2, 3, 4]


def test_rows_are_read_one_by_one_where_a_sample_is_large(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write([([0.1] * n, [n] * n) for n in range(4)])
    sizes = []

    def spy(*args: Any) -> Any:
        sizes.append(len(args[0].samples))
        return bin_spikes(*args)

    bin_spikes = shd.bin_spikes
    monkeypatch.setattr(shd, "bin_spikes", spy)
    monkeypatch.setattr(shd, "_BINS_AT_ONCE", 14_000 * 3)
    assert shd.load(path).counts.sum(axis=(1, 2)).tolist() == [0, 1, 2, 3]
    assert sizes == [3, 1]
    sizes.clear()
    shd.load(path, timesteps=500)
    assert sizes == [1, 1, 1, 1]


def test_load_split(write: Write, tmp_path: Path) -> None:
    write([([0.1], [0])], name="shd_test.h5")
    assert len(shd.load_split(tmp_path, "test", timesteps=7).counts[0]) == 7
    with pytest.raises(InputError) as error:
        shd.load_split(tmp_path, "train")
    assert str(error.value) == f"{tmp_path}/shd_train.h5 must be an SHD-format HDF5 file, not missing"
    with pytest.raises(InputError, match=r"^split must be train or test, not validation$"):
        shd.load_split(tmp_path, "validation")


GOOD: list[tuple[list[float], list[int]]] = [([0.1, 0.2], [3, 4]), ([0.1], [5])]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([([], []), ([0.1, 0.2], [3])], {}, "sample 1: spikes/units must have 2 entries as spikes/times, not 1"),
        (GOOD[:1] + [([0.1], [700])], {}, "sample 1: spikes/units must be between 0 and 699, not 700"),
        ([([0.1], [-1])], {"units_type": np.int32}, "sample 0: spikes/units must be between 0 and 699, not -1"),
        (GOOD[:1] + [([-0.5], [7])], {}, "sample 1: spikes/times must be finite and not negative, not -0.5"),
        ([([np.nan], [7])], {}, "sample 0: spikes/times must be finite and not negative, not nan"),
        ([([np.inf], [7])], {}, "sample 0: spikes/times must be finite and not negative, not inf"),
        (
            GOOD,
            {"labels": np.array([1, 2]), "keys": np.array(["a", "b"], "S")},
            "sample 1: labels must be below 2 (the number of extra/keys), not 2",
        ),
        (GOOD, {"labels": np.array([1, -2])}, "sample 1: labels must be between 0 and 4294967295, not -2"),
        (GOOD, {"labels": np.array([1.0, 2.0])}, "labels must be integers, not float64"),
        (GOOD, {"labels": np.array([1])}, "labels must have 2 entries as spikes/times, not 1"),
        (GOOD, {"labels": np.zeros((2, 2), int)}, "labels must have one dimension, not shape (2, 2)"),
        (GOOD, {"labels": None}, "labels must be a data set of an SHD-format file, not missing"),
        (GOOD, {"times_type": None}, "spikes/times must be a data set of an SHD-format file, not missing"),
        (
            GOOD,
            {"times_type": np.int32},
            "spikes/times must be variable-length rows of floating-point numbers, not rows of int32",
        ),
        (
            GOOD,
            {"units_type": np.float32},
            "spikes/units must be variable-length rows of integers, not rows of float32",
        ),
        (
            GOOD,
            {"times_type": np.dtype(np.float32).newbyteorder()},
            f"spikes/times must be in this machine's byte order, not rows of {np.dtype(np.float32).newbyteorder().str}",
        ),
        (GOOD, {"speakers": np.array([1])}, "extra/speaker must have 2 entries as spikes/times, not 1"),
        (GOOD, {"keys": np.array([1, 2])}, "extra/keys must be strings, not int64"),
        (
            [([0.1] * 256, [12] * 256)],
            {},
            "sample 0: spikes of step 0, channel 2 must be at most 255, not 256",
        ),
    ],
)
def test_bad_file(write: Write, rows: Any, options: dict[str, Any], message: str) -> None:
    path = write(rows, **options)
    with pytest.raises(InputError) as error:
        shd.load(path)
    assert str(error.value) == f"{path}: {message}"


def test_255_spikes_in_a_bin_are_allowed(write: Write) -> None:
    assert shd.load(write([([0.1] * 255, [0] * 255)])).counts.max() == 255


def test_fixed_length_rows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["spikes/times"] = np.zeros(3)
    with pytest.raises(InputError, match="variable-length rows of floating-point numbers, not float64$"):
        shd.load(tmp_path / "file.h5")


def test_group_instead_of_data_set(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_group("spikes/times")
    with pytest.raises(InputError, match="spikes/times must be a data set of an SHD-format file, not a group$"):
        shd.load(tmp_path / "file.h5")


def test_row_counts_differ(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("spikes/times", (3,), dtype=h5py.vlen_dtype(np.float16))
        file.create_dataset("spikes/units", (2,), dtype=h5py.vlen_dtype(np.uint16))
    with pytest.raises(InputError, match="spikes/units must have 3 rows as spikes/times, not 2$"):
        shd.load(tmp_path / "file.h5")


def test_absurd_number_of_samples(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            file.create_dataset(f"spikes/{name}", (10**12,), dtype=h5py.vlen_dtype(kind), chunks=(1024,))
    with pytest.raises(InputError, match="samples must be at most 10000000, not 1000000000000$"):
        shd.load(tmp_path / "file.h5")


def test_truncated_file_anywhere(write: Write) -> None:
    path = write([([0.1] * 200, [5] * 200)] * 20, speakers=np.arange(20), keys=np.array(["a"], "S"))
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, len(whole) // 40):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=f"^{path} must be a complete HDF5 file, not a damaged or different one"):
            shd.load(path)


def test_overwritten_bytes_raise_nothing_else(write: Write) -> None:
    path = write([([0.1] * 50, [5] * 50)] * 8, speakers=np.arange(8), keys=np.array(["a"], "S"))
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole) - 8, len(whole) // 150):
        broken = bytearray(whole)
        broken[at : at + 8] = bytes(8)
        path.write_bytes(broken)
        try:
            shd.load(path)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 10


def test_text_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "file.h5").write_text("hello")
    with pytest.raises(InputError, match="not a damaged or different one"):
        shd.load(tmp_path / "file.h5")
    with pytest.raises(InputError, match=f"^{tmp_path} must be an SHD-format HDF5 file, not a folder$"):
        shd.load(tmp_path)
    with pytest.raises(InputError, match="^/dev/null must be an SHD-format HDF5 file, not a device$"):
        shd.load("/dev/null")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timesteps": 0}, "timesteps must be between 1 and 65536, not 0"),
        ({"timestep": 0.0}, "timestep must be a positive number of seconds, not 0.0"),
        ({"timestep": float("nan")}, "timestep must be a positive number of seconds, not nan"),
        ({"bin_width": 3}, "bin_width must divide 700, not 3"),
        ({"samples": 3}, "samples must be between 0 and 2 (all of {path}), not 3"),
        ({"samples": [0, 2]}, "samples must be rows between 0 and 1 of {path}, not 2"),
        ({"samples": [0.5]}, "samples must be a number or a sequence of row numbers, not an array of another kind"),
    ],
)
def test_bad_parameter(write: Write, options: dict[str, Any], message: str) -> None:
    path = write(GOOD)
    with pytest.raises(InputError) as error:
        shd.load(path, **options)
    assert str(error.value) == message.format(path=path)


@pytest.fixture(scope="module")
def digits(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split of real spoken digits, unpacked by the script that comes with it."""
    folder = tmp_path_factory.mktemp("digits")
    script = shared_dir / "data" / "make_h5.py"
    subprocess.run([sys.executable, script, folder, "shd_test"], check=True, stdout=subprocess.DEVNULL)
    return folder


def test_real_digits(digits: Path) -> None:
    data = shd.load_split(digits, "test")
    assert data.counts.shape == (1132, 100, 140)
    assert data.keys[0] == "zero" and data.keys[19] == "neun" and len(data.keys) == 20
    assert {4, 5} <= set(data.speakers)
    assert 10 < data.counts.max() < 60
    with h5py.File(digits / "shd_test.h5") as file:
        for sample in (0, 500, 1131):
            times, units = file["spikes/times"][sample].tolist(), file["spikes/units"][sample].tolist()
            assert np.array_equal(data.counts[sample], ref_counts(times, units, 100, 0.010, 5))
    some = shd.load_split(digits, "test", samples=[1131, 0])
    assert np.array_equal(some.counts, data.counts[[1131, 0]])


def test_real_commands(shared_dir: Path, tmp_path: Path) -> None:
    script = shared_dir / "data" / "make_h5.py"
    subprocess.run([sys.executable, script, tmp_path, "ssc_sample"], check=True, stdout=subprocess.DEVNULL)
    data = shd.load(tmp_path / "ssc_sample.h5", timesteps=250, timestep=0.0056)
    assert data.counts.shape == (300, 250, 140)
    assert len(data.keys) == 35 and "marvin" in data.keys
    assert sorted(np.bincount(data.labels)[np.bincount(data.labels) > 0]) == [10] * 30


def test_real_digits_cut_short(digits: Path, tmp_path: Path) -> None:
    whole = (digits / "shd_test.h5").read_bytes()
    (tmp_path / "shd_test.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"shd_test\.h5 must be a complete HDF5 file"):
        shd.load_split(tmp_path, "test", samples=3)
