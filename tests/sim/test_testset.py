import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from random_networks import random_counts, random_network
from spikewright.build.generate import build
from spikewright.cli.main import main
from spikewright.contract.errors import InputError
from spikewright.integer.file import save_model
from spikewright.support import cluster
from spikewright.support.cluster import call_all, connect
from spikewright_sim import testset
from spikewright_sim.core.dut import Dut
from spikewright_sim.core.scoreboard import Report
from spikewright_sim.runner import _native, simulate
from spikewright_sim.testset import PART, TestSet

distributed = pytest.importorskip("distributed")

Made = tuple[Path, npt.NDArray[np.int64]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A compiled core, some of its memories split in two, and samples for it."""
    folder = tmp_path_factory.mktemp("small")
    spec = random_network(3, (60, 32, 3), recurrent=(True,), max_delay=3, timesteps=8, density=0.95)
    save_model(folder / "model.safetensors", spec)
    manifest = build(folder / "model.safetensors", folder / "build", lanes=2, encoding="absolute")
    assert {"layer0_synapses0_bits0", "layer0_synapses0_bits9"} <= set(manifest["images"])
    counts = random_counts(3, spec, 11)
    simulate(folder / "build", counts[:1], np.zeros(1, dtype=np.int64), engine="native")
    return folder / "build", counts


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        yield local.scheduler_address


def outcome(build_dir: Path, counts: npt.NDArray[np.int64], **options: Any) -> dict[str, Any]:
    return simulate(build_dir, counts, np.arange(len(counts)) % 3, engine="native", **options)


def test_a_cluster_finds_what_this_machine_finds(small: Made, scheduler: str) -> None:
    here = outcome(*small)
    assert outcome(*small, scheduler=scheduler) == here
    assert (here["mismatches"], here["cycle_mismatches"]) == (0, 0)
    assert outcome(*small, scheduler=scheduler, repeat=20) == here


def test_a_difference_on_a_cluster_leaves_a_waveform(small: Made, scheduler: str, tmp_path: Path) -> None:
    asked: list[tuple[int, Any]] = []

    def simulation(counts: npt.NDArray[np.integer], begin: int, **options: Any) -> tuple[Report, tuple[int, int]]:
        asked.append((begin, options.get("waveform")))
        return Report(cycle_mismatches=int(begin >= 4)), (0, 0)

    test_set = TestSet(small[0], small[1], lambda samples, begin: samples, tmp_path / "w")
    assert sum(report.cycle_mismatches for report, _ in test_set.on_cluster(simulation, scheduler)) == 4
    assert [part for part in asked if part[1] is not None] == [(4, tmp_path / "w")]


def test_a_difference_on_a_cluster_is_described_as_here(small: Made, scheduler: str, tmp_path: Path) -> None:
    copied = shutil.copytree(small[0], tmp_path / "build")
    image = copied / "layer1_synapses0.hex"
    lines = image.read_text().splitlines()
    lines[1] = f"{int(lines[1], 16) ^ 8:0{len(lines[1])}x}"
    image.write_text("\n".join(lines) + "\n")
    part = partial(_native, Dut.open(copied), 0, 1, True)
    here, _ = part(small[1][:2], 0)
    assert re.match(r"sample [01], layer 1, step \d+, neuron \d+ membrane: expected -?\d+, got ", here.details[0])
    with connect(scheduler, "a test") as client:
        ((there, _),) = call_all(client, part, [(small[1][:2], 0)], lambda index: None)
    assert there.details == here.details


def test_parts_are_as_small_as_the_cluster_is_large(small: Made, scheduler: str) -> None:
    def simulation(counts: npt.NDArray[np.integer], begin: int, **options: Any) -> tuple[Report, tuple[int, int]]:
        return Report(values=[str(options)]), (begin, len(counts))

    test_set = TestSet(small[0], small[1], lambda samples, begin: samples, small[0] / "none.vcd")
    found = list(test_set.on_cluster(simulation, scheduler))
    assert [part for _, part in found] == [(0, 2), (2, 2), (4, 2), (6, 2), (8, 2), (10, 1)]
    assert {report.values[0] for report, _ in found} == {"{'processes': 1}"}


def test_only_the_first_part_that_differs_gets_a_waveform(tmp_path: Path) -> None:
    asked: list[Path | None] = []

    def simulation(counts: npt.NDArray[np.integer], begin: int, **options: Any) -> tuple[Report, tuple[int, int]]:
        asked.append(options["waveform"])
        options["advance"](len(counts))
        return Report(mismatches=int(begin == PART)), (0, 0)

    test_set = TestSet(tmp_path, np.zeros((3 * PART, 1, 1), dtype=np.int64), lambda samples, begin: 0, tmp_path / "w")
    assert len(list(test_set.here(simulation))) == 3
    assert asked == [tmp_path / "w", tmp_path / "w", None]


# The first part of the cluster has but two samples to run back to back, and with pauses.
@pytest.mark.parametrize(("repeat", "here", "there"), [(1, 11 + 3 + 3, 11 + 2 + 2), (3, 11 + 33 + 3, 11 + 33 + 2)])
def test_the_bar_ends_where_all_is_simulated(
    small: Made, scheduler: str, monkeypatch: pytest.MonkeyPatch, repeat: int, here: int, there: int
) -> None:
    ended: list[tuple[int, int]] = []

    class Bar:
        def __init__(self, **settings: Any) -> None:
            self.at, self.total = 0, settings["total"]
            assert settings["show"]

        def update(self, samples: int) -> None:
            self.at += samples

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *error: object) -> None:
            ended.append((self.at, self.total))

    monkeypatch.setattr(testset, "bar", Bar)
    outcome(*small, bar=True, repeat=repeat)
    outcome(*small, bar=True, repeat=repeat, scheduler=scheduler)
    assert ended == [(here, here), (there, there)]


def test_workers_without_the_build_folder(small: Made, scheduler: str) -> None:
    test_set = TestSet(small[0] / "none", small[1], lambda samples, begin: samples, small[0] / "none.vcd")
    with pytest.raises(InputError) as error:
        list(test_set.on_cluster(print, scheduler))  # type: ignore[arg-type]
    assert str(error.value) == (
        f"on a worker of the cluster, {small[0] / 'none'} must be the build folder there too, but there is none"
    )


def test_workers_of_another_version(small: Made) -> None:
    with pytest.raises(InputError) as error:
        testset._on_worker(print, small[0], "0.0.0", small[1], 0)  # type: ignore[arg-type]
    assert re.fullmatch(
        r"spikewright must be 0\.0\.0, as where the simulation was started, not \d+\.\d+\.\d+", str(error.value)
    )


def test_the_command_tells_what_it_cannot_use(
    small: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.2)
    with pytest.raises(InputError) as error:
        simulate(small[0], small[1], np.zeros(11, dtype=np.int64), scheduler="tcp://127.0.0.1:1")
    assert str(error.value) == "a scheduler must not be given for the engine cocotb"
    assert main(["simulate", "--help"]) == 0
    assert "--scheduler ADDRESS" in capsys.readouterr().out
    with pytest.raises(InputError) as error:
        outcome(*small, scheduler="tcp://127.0.0.1:1")
    assert str(error.value) == "scheduler must be the address of a running Dask scheduler, not tcp://127.0.0.1:1"
