"""An encoding from a file outside the product goes all the way: into the images, the Verilog and the simulation."""

import json
from pathlib import Path

import numpy as np
import pytest

import spikewright.contract.encodings
import spikewright_hw.walks
from random_networks import random_counts, random_network
from spikewright.build.folder import open_build
from spikewright.cli.main import main
from spikewright.contract.names import Layers
from spikewright.integer.file import save_model
from spikewright.layout.pack import Packer, pack, unpack
from spikewright.predict.explore import _cores
from spikewright.predict.resources import estimate
from spikewright_boards.catalog import find
from spikewright_sim.runner import simulate

EXTRA = Path(__file__).parents[1] / "extra_encodings"
SPEC = random_network(7, (12, 9, 7, 5), recurrent=(False, True), timesteps=10)


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (spikewright.contract.encodings, spikewright_hw.walks):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(EXTRA)])


def generate(folder: Path, *options: str) -> int:
    save_model(folder / "model.safetensors", SPEC)
    argv = ["generate", str(folder / "model.safetensors"), "-o", str(folder / "build"), "--lanes", "2", *options]
    return main([*argv, "--json"])


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("layers", ["parallel", "shared"])
def test_it_is_generated_predicted_and_simulated_exactly(
    tmp_path: Path, layers: Layers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tmp_path, "--encoding", "reversed_rows", "--layers", layers) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert set(manifest["encoding"].values()) == {"reversed_rows"}
    for sizes in manifest["encodings"].values():
        assert list(sizes) == ["absolute", "relative", "bitmap", "reversed_rows"]
        assert sizes["reversed_rows"] == sizes["absolute"]
    core = open_build(tmp_path / "build")[1]
    absolute = pack(core.network, 2, layers=layers, encoding="absolute")
    for image, other in zip(core.memories.values(), absolute.memories.values(), strict=True):
        used = image.data[0] != 0
        assert image.indices[0][used].tolist() == (image.rows - 1 - other.indices[0][used]).tolist()
    for got, want in zip(unpack(core).layers, SPEC.layers, strict=True):
        np.testing.assert_array_equal(got.weights, want.weights)
    counts = random_counts(7, SPEC, 3)
    result = simulate(tmp_path / "build", counts, np.zeros(3, dtype=np.int64), engine="native")
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
    assert result["cycles_per_inference"] == result["predicted_cycles_per_inference"]


@pytest.mark.usefixtures("extra")
def test_it_is_explored_with_the_cost_of_its_walk_and_within_its_limit() -> None:
    cores = dict(_cores(Packer(SPEC), 1, "shared", "ecp5"))
    assert "reversed_rows" in cores
    costs = {name: estimate(core, find("ulx3s-85f")).luts for name, core in cores.items()}
    assert (
        costs["reversed_rows"] > estimate(pack(SPEC, 1, layers="shared", encoding="absolute"), find("ulx3s-85f")).luts
    )
    many = random_network(1, (4, 101, 3), recurrent=(False,))
    assert "reversed_rows" not in dict(_cores(Packer(many), 1, "shared", "ecp5"))
    with pytest.raises(ValueError) as raised:
        pack(many, 1, encoding="reversed_rows")
    assert str(raised.value) == "layer 0: rows of a lane must be at most 100 to be reversed, not 101"


def test_what_is_chosen_among_the_others_stays_the_same(request: pytest.FixtureRequest) -> None:
    networks = [random_network(1, (140, n, 6), recurrent=(False,), density=0.5) for n in (20, 60, 120)]

    def chosen() -> list[str]:
        cores = [pack(network, lanes, target="ice40") for network in networks for lanes in (1, 2)]
        return [image.encoding for core in cores for image in core.layers]

    before = chosen()
    assert len(set(before)) == 3
    request.getfixturevalue("extra")
    assert chosen() == before


def test_without_its_file_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(tmp_path, "--encoding", "reversed_rows") == 2
    assert "--encoding: must be one of auto, absolute, relative, bitmap, not 'reversed_rows'" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()
