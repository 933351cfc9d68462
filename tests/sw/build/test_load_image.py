import json
import shutil
from pathlib import Path

import pytest

from random_networks import random_network
from spikewright.build.generate import Loadable, build
from spikewright.build.load_image import write_image
from spikewright.contract.errors import InputError
from spikewright.integer.file import load_model, save_model
from spikewright.support.files import sha256


def test_the_image_of_another_network(loadable: Path, model: Path, other: Path, tmp_path: Path) -> None:
    written = write_image(other, loadable, tmp_path / "other.bin")
    image = (tmp_path / "other.bin").read_bytes()
    own = (loadable / "weights.bin").read_bytes()
    assert written == {
        "image": str(tmp_path / "other.bin"),
        "bytes": len(image),
        "build_dir": str(loadable),
        "synapses": sum(layer.synapses for layer in load_model(other).layers),
        "fingerprint": json.loads((loadable / "manifest.json").read_text())["load"]["fingerprint"],
        "model_sha256": sha256(other),
    }
    assert image[:12] == own[:12]
    assert image != own
    write_image(model, loadable, tmp_path / "own.bin")
    assert (tmp_path / "own.bin").read_bytes() == own


def test_a_network_that_does_not_fit_leaves_no_image(loadable: Path, folder: Path, model: Path, tmp_path: Path) -> None:
    dense = tmp_path / "dense.safetensors"
    save_model(dense, random_network(6, timesteps=6, density=1.0))
    limit = json.loads((loadable / "manifest.json").read_text())["capacity"]["layers"][0]["synapses"]
    longer = tmp_path / "longer.safetensors"
    save_model(longer, random_network(6, timesteps=7))
    for network, build_dir, message in (
        (dense, loadable, f"{dense}: layer 0, synapses of a lane must be at most {limit}, not {5 * 12}"),
        (longer, loadable, f"{longer}: timesteps must be 6, not 7"),
        (model, folder, f"{folder} must be made by `generate --weights loadable` to take another network"),
    ):
        with pytest.raises(InputError) as error:
            write_image(network, build_dir, tmp_path / "image.bin")
        assert str(error.value) == message
        assert not (tmp_path / "image.bin").exists()
    with pytest.raises(InputError) as error:
        build(model, tmp_path / "build", lanes=2, loadable=Loadable(0.0, [longer]))
    assert str(error.value) == f"{longer}: timesteps must be 6, not 7"


def test_an_image_for_a_core_that_is_made_otherwise_by_now(loadable: Path, other: Path, tmp_path: Path) -> None:
    shutil.copytree(loadable, tmp_path / "build")
    path = tmp_path / "build" / "manifest.json"
    manifest = json.loads(path.read_text())
    fingerprint = manifest["load"]["fingerprint"]
    path.write_text(json.dumps({**manifest, "load": {**manifest["load"], "fingerprint": "00"}}))
    with pytest.raises(InputError) as error:
        write_image(other, tmp_path / "build", tmp_path / "image.bin")
    assert str(error.value) == (
        f"{path}: load.fingerprint must be {fingerprint}, as the core is made now, not 00: generate it anew"
    )
