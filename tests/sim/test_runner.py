import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from random_networks import TAU_2, random_counts, random_network
from spikewright.build.folder import open_build
from spikewright.build.generate import build
from spikewright.contract.errors import InputError
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import load_model, save_model
from spikewright_sim.core.dut import Engine
from spikewright_sim.runner import simulate
from strategies import Case, cases, describe

# More networks: `make fuzz`, or SPIKEWRIGHT_NETWORKS=100 make test.
NETWORKS = int(os.environ.get("SPIKEWRIGHT_NETWORKS", "4"))


def made(folder: Path, spec: NetworkSpec, lanes: int, encoding: str = "absolute") -> Path:
    save_model(folder / "model.safetensors", spec)
    build(folder / "model.safetensors", folder / "build", lanes=lanes, encoding=encoding)
    return folder / "build"


def outcome(build_dir: Path, counts: npt.NDArray[np.int64], seed: int = 0, engine: Engine = "cocotb") -> dict[str, Any]:
    return simulate(build_dir, counts, np.zeros(len(counts), dtype=np.int64), engine=engine, seed=seed)


@settings(
    max_examples=NETWORKS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(case=cases(most_neurons=20, most_lanes=8, samples=3))
def test_random_networks_simulate_exactly(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    build_dir = case.build(tmp_path_factory.mktemp("random"))
    result = outcome(build_dir, case.counts, case.seed)
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, []), describe(case)
    assert result["cycles_per_inference"] == result["predicted_cycles_per_inference"]
    assert result["cycles_per_inference"]["min"] > 0


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, npt.NDArray[np.int64]]:
    """A network in which every synapse, delay and threshold takes part."""
    spec = random_network(2, (12, 10, 8, 4), recurrent=(False, True), max_delay=5, timesteps=25)
    return made(tmp_path_factory.mktemp("busy"), spec, 4), random_counts(2, spec, 3)


@pytest.fixture(scope="module")
def intact(busy: tuple[Path, npt.NDArray[np.int64]]) -> dict[str, dict[str, Any]]:
    """What comes out of the network as it is, by engine; its folder then holds what was compiled for both."""
    engines: tuple[Engine, ...] = ("cocotb", "native")
    return {engine: outcome(*busy, engine=engine) for engine in engines}


@pytest.mark.parametrize(("encoding", "engine"), [("relative", "cocotb"), ("bitmap", "cocotb"), ("bitmap", "native")])
def test_every_encoding_simulates_exactly_and_a_flipped_bit_of_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, engine: Engine
) -> None:
    for name in ("COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "MAKEFLAGS"):
        monkeypatch.setenv(name, "of_another_project")  # changes nothing
    spec = random_network(4, (12, 21, 15, 4), recurrent=(True, False), max_delay=5, timesteps=15)
    counts = random_counts(4, spec, 3)
    build_dir = made(tmp_path, spec, 2, encoding)
    result = outcome(build_dir, counts, engine=engine)
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
    assert result["cycles_per_inference"] == result["predicted_cycles_per_inference"]
    if encoding == "relative":
        flip(build_dir / "layer0_synapses0.hex", 9, 0)
    else:
        image = open_build(build_dir)[1].layers[0]
        flip(build_dir / "layer0_rows.hex", 5, image.start_bits + image.offset_bits + 3)
    result = outcome(build_dir, counts, engine=engine)
    assert result["mismatches"] > 0
    assert result["details"][0].startswith("sample 0, layer 0, step ")


@pytest.fixture
def copied(busy: tuple[Path, npt.NDArray[np.int64]], intact: dict[str, dict[str, Any]], tmp_path: Path) -> Path:
    shutil.copytree(busy[0], tmp_path / "build")
    return tmp_path / "build"


def flip(image: Path, word: int, bit: int) -> None:
    lines = image.read_text().splitlines()
    lines[1 + word] = f"{int(lines[1 + word], 16) ^ 1 << bit:0{len(lines[1])}x}"
    image.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("image", "word", "bit", "layer"),
    [
        ("layer0_synapses1", 4, 2, 0),  # a weight: the row of the neuron takes two bits
        ("layer0_synapses0", 3, 1, 0),  # another neuron
        ("layer1_delays", 3, 0, 1),
        ("layer1_neurons0", 0, 5, 1),  # a threshold
        ("layer2_synapses1", 1, 3, 2),
    ],
)
@pytest.mark.parametrize("engine", ["cocotb", "native"])
def test_one_flipped_bit_is_found(
    busy: tuple[Path, npt.NDArray[np.int64]], copied: Path, image: str, word: int, bit: int, layer: int, engine: Engine
) -> None:
    flip(copied / f"{image}.hex", word, bit)
    result = outcome(copied, busy[1], engine=engine)
    assert result["mismatches"] > 0
    assert result["details"][0].startswith(f"sample 0, layer {layer}, step ")
    assert "neuron " in result["details"][0]


def test_intact_build_has_no_mismatch(intact: dict[str, dict[str, Any]]) -> None:
    result = intact["cocotb"]
    assert (result["mismatches"], result["cycle_mismatches"]) == (0, 0)
    assert result["synaptic_ops"] < result["dense_synaptic_ops"]


def test_native_loop_agrees_with_cocotb(intact: dict[str, dict[str, Any]]) -> None:
    assert intact["native"] == {**intact["cocotb"], "engine": "native"}


def test_a_path_with_spaces_and_another_model(
    busy: tuple[Path, npt.NDArray[np.int64]], copied: Path, tmp_path: Path
) -> None:
    moved = copied.rename(tmp_path / "a build")
    assert outcome(moved, busy[1], engine="native")["mismatches"] == 0
    spec = load_model(moved / "model.safetensors")
    first, second, last = spec.layers
    # Wider states than the compiled loop was told of.
    changed = replace(second, bias=second.bias * 1000)
    save_model(moved / "model.safetensors", replace(spec, layers=(first, changed, last)))
    with pytest.raises(InputError, match="must be the network that manifest.json beside it tells of, not another one$"):
        outcome(moved, busy[1], engine="native")


@pytest.mark.parametrize("engine", ["cocotb", "native"])
def test_a_long_silent_step_is_no_hang(tmp_path: Path, engine: Engine) -> None:
    neurons = 120
    layer = LayerSpec(
        inputs=1,
        neurons=neurons,
        weights=np.full((neurons, 1 + neurons), 5),
        bias=np.full(neurons, 9),
        threshold=np.ones(neurons, dtype=np.int64),
        delays=np.zeros(neurons, dtype=np.int64),
        decay=TAU_2,
    )
    readout = random_network(0, (neurons, 2)).layers[0]
    # All fire in the first step, and all spikes arrive in the second.
    spec = NetworkSpec(layers=(layer, replace(readout, value_bits=1)), timesteps=2)
    result = outcome(made(tmp_path, spec, 1), np.zeros((1, 2, 1), dtype=np.int64), engine=engine)
    assert result["cycles_per_inference"]["max"] > neurons**2
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])


def test_samples_in_another_order_and_other_labels_are_refused(busy: tuple[Path, npt.NDArray[np.int64]]) -> None:
    folder, counts = busy
    samples, steps, channels = counts.shape
    labels = np.zeros(samples, dtype=np.int64)
    wanted = f"counts must be (samples, {steps} steps, {channels} channels), not ({steps}, {samples}, {channels})"
    for values, of, message in (
        (counts.transpose(1, 0, 2), labels, wanted),
        (counts, labels[:1], f"labels must be one for each of the {samples} samples, not of shape (1,)"),
        (counts + 0.5, labels, "counts must be integers, not float64"),
    ):
        with pytest.raises(InputError) as error:
            simulate(folder, values, of)
        assert str(error.value) == message
