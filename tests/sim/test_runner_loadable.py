from pathlib import Path
from typing import Any

import numpy as np
import pytest

from random_networks import random_counts, random_network
from spikewright.build.generate import Loadable, build
from spikewright.build.load_image import write_image
from spikewright.contract.errors import CheckFailed
from spikewright.integer.file import load_model, save_model
from spikewright_sim.core.dut import Engine
from spikewright_sim.runner import simulate


def make(folder: Path, sizes: tuple[int, ...] = (12, 10, 8, 4), **options: Any) -> Path:
    """`build`, a core for both `0.safetensors`, which it is made of, and `1.safetensors`."""
    for seed, density in enumerate((0.3, 0.8)):
        spec = random_network(
            30 + seed, sizes, recurrent=(False, True), max_delay=4 + 3 * seed, density=density, timesteps=15
        )
        save_model(folder / f"{seed}.safetensors", spec)
    room = Loadable(0.1, [folder / "1.safetensors"])
    build(folder / "0.safetensors", folder / "build", loadable=room, **options)
    return folder


@pytest.fixture(scope="module")
def loadable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("loadable"), lanes=4)


@pytest.mark.parametrize("engine", ["cocotb", "native"])
def test_one_core_is_loaded_with_several_networks(loadable: Path, engine: Engine) -> None:
    check(loadable, engine)


@pytest.mark.parametrize(("engine", "lanes"), [("cocotb", 4), ("native", 1)])
def test_shared_lanes_are_loaded_with_several_networks(tmp_path: Path, engine: Engine, lanes: int) -> None:
    made = make(tmp_path, (7, 6, 5, 3), lanes=lanes, layers="shared")
    if engine == "native":
        # As on devices whose large memories have one port.
        core = made / "build" / "spikewright_ram.v"
        text = core.read_text()
        assert text.count("`define SPIKEWRIGHT_SINGLE_PORT_BITS 0\n") == 1
        core.write_text(text.replace("SINGLE_PORT_BITS 0\n", "SINGLE_PORT_BITS 1\n"))
    check(made, engine)


def check(loadable: Path, engine: Engine) -> None:
    compiled = set()
    for seed in (0, 1):
        model = loadable / f"{seed}.safetensors"
        spec = load_model(model)
        write_image(model, loadable / "build", loadable / "image.bin")
        counts = random_counts(seed, spec, 3)
        labels = np.zeros(3, dtype=np.int64)
        for image in (loadable / "image.bin", None):
            result = simulate(loadable / "build", counts, labels, engine=engine, model=model, image=image)
            assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
            assert result["cycles_per_inference"] == result["predicted_cycles_per_inference"]
        compiled |= {
            path.stat().st_mtime_ns for path in (loadable / "build").glob(f"simulation-{engine}*/manifest.json")
        }
    assert len(compiled) == 1
    # The image of the one is not mistaken for that of the other.
    first = loadable / "0.safetensors"
    counts = random_counts(0, load_model(first), 3)
    result = simulate(loadable / "build", counts, labels, engine=engine, model=first, image=loadable / "image.bin")
    assert result["mismatches"] > 0


@pytest.mark.parametrize("engine", ["cocotb", "native"])
def test_a_damaged_load_image_is_refused(loadable: Path, tmp_path: Path, engine: Engine) -> None:
    counts = random_counts(0, load_model(loadable / "0.safetensors"), 1)
    labels = np.zeros(1, dtype=np.int64)
    whole = (loadable / "build" / "weights.bin").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 16
    for damaged in (bytes(flipped), whole[:-1], whole + b"\0"):
        (tmp_path / "image.bin").write_bytes(damaged)
        with pytest.raises(CheckFailed) as failed:
            simulate(loadable / "build", counts, labels, engine=engine, image=tmp_path / "image.bin")
        assert str(failed.value) == "the core refused the load image"
