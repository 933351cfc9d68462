import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright import __version__
from spikewright.build.folder import open_build
from spikewright.build.generate import Loadable, build
from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import load_info, load_model
from spikewright.predict.cycles import CycleModel


def test_open_build_returns_the_core(folder: Path, spec: NetworkSpec) -> None:
    manifest, core = open_build(folder)
    assert core.lanes == manifest["lanes"] == 2
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(core.network.layers, spec.layers, strict=True))
    assert load_info(folder / "model.safetensors") == {"timestep": 0.01}
    assert load_model(folder / "model.safetensors").timesteps == spec.timesteps


def test_an_encoding_is_missing(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "build")
    path = tmp_path / "build" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "encoding": {"engine": "bitmap"}}))
    with pytest.raises(InputError) as caught:
        open_build(tmp_path / "build")
    assert str(caught.value) == f"{path}: encoding must have 3 entries, not 1"


def test_not_a_build_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_build(tmp_path)
    message = f"{tmp_path} must be a folder by `spikewright generate`, not one without manifest.json"
    assert str(caught.value) == message
    manifest = json.loads((folder / "manifest.json").read_text())
    path = tmp_path / "manifest.json"
    for change, reason in (
        ({"format": "other"}, "format must be 'spikewright-build-1', not 'other'"),
        ({"lanes": 3}, "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 3"),
        ({"lanes": [8]}, "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not [8]"),
        ({"lanes": True}, "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not True"),
        ({"layers": "serial"}, "layers must be one of parallel, shared, slotted, not 'serial'"),
        ({"layers": []}, "layers must be one of parallel, shared, slotted, not []"),
        ({"encoding": None}, "encoding must be an object, not None"),
        ({"encoding": {"layer0": 1}}, "encoding.layer0 must be one of absolute, relative, bitmap, not 1"),
        ({"stream": 7}, "manifest entry stream must be an object with the widths of the streams, not 7"),
        ({"stream": {**manifest["stream"], "mark_bit": "x"}}, "manifest entry stream.mark_bit must be 7, not 'x'"),
        (
            {"stream": {**manifest["stream"], "output_bytes": 0}},
            "manifest entry stream.output_bytes must be 1 .. 8, not 0",
        ),
    ):
        path.write_text(json.dumps({**manifest, **change}))
        with pytest.raises(InputError) as caught:
            open_build(tmp_path)
        assert str(caught.value) == f"{path}: {reason}"


def older(folder: Path, change: dict[str, Any]) -> str:
    """Why a folder whose manifest was changed is refused."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest = {name: value for name, value in {**manifest, **change}.items() if value != "absent"}
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError) as error:
        open_build(folder)
    return str(error.value)


def backwards(spec: LayerSpec, lanes: int) -> IntArray:
    order = np.arange(spec.neurons)
    return order if spec.readout else order[::-1].copy()


def made_by(folder: Path, version: str) -> str:
    return f"{folder} was made by another version of spikewright (version {version}, this is {__version__}): " + (
        "generate it again"
    )


@pytest.mark.parametrize("layers", ["parallel", "shared", "loadable"])
def test_a_folder_whose_cores_were_laid_out_otherwise(
    model: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: str
) -> None:
    """The version may be the same: what tells is the order of the neurons, even where the sizes are the same."""
    folder = tmp_path / "build"
    options = {"loadable": Loadable(0.1)} if layers == "loadable" else {"layers": layers}
    with monkeypatch.context() as patch:
        patch.setattr("spikewright.layout.pack.balanced_order", backwards)
        build(model, folder, lanes=2, **options)  # type: ignore[arg-type]
        open_build(folder)
    for network in (None, other) if layers == "loadable" else (None,):
        with pytest.raises(InputError) as error:
            open_build(folder, network)
        assert str(error.value) == made_by(folder, __version__)


def test_a_folder_of_another_version(folder: Path, tmp_path: Path) -> None:
    for number, (entries, version) in enumerate(
        (
            ({"spikewright": "0.0.9", "layout_sha256": "00"}, "0.0.9"),
            ({"spikewright": None, "layout_sha256": None}, "None"),
            ({"spikewright": "0.0.8", "format": "spikewright-build-0"}, "0.0.8"),
        )
    ):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        assert older(copy, entries) == made_by(copy, version)
    copy = tmp_path / "before"
    shutil.copytree(folder, copy)
    assert older(copy, {"layout_sha256": "absent"}) == made_by(copy, __version__)


def test_a_cycle_model_of_another_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predict = CycleModel.run

    def later(self: CycleModel, *sample: Any) -> Any:
        found = predict(self, *sample)
        return replace(found, done=found.done + 1)

    monkeypatch.setattr(CycleModel, "run", later)
    with pytest.raises(InputError) as error:
        open_build(folder)
    assert str(error.value) == made_by(folder, __version__)


def test_another_network_in_the_folder(folder: Path, other: Path, tmp_path: Path) -> None:
    copy = tmp_path / "build"
    shutil.copytree(folder, copy)
    shutil.copyfile(other, copy / "model.safetensors")
    with pytest.raises(InputError) as error:
        open_build(copy)
    assert str(error.value) == (
        f"{copy / 'model.safetensors'} must be the network that manifest.json beside it tells of, not another one"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mark_bit", 60000, "manifest entry stream.mark_bit must be 7, not 60000"),
        ("axon_bits", 9, "manifest entry stream.input_bytes must be 2, not 1"),
        ("output_bytes", 8, "stream.output_bytes must be 2 for model.safetensors, not 8"),
        ("classes", 6, "stream.classes must be 5 for model.safetensors, not 6"),
    ],
)
def test_a_stream_that_does_not_fit_the_model(
    folder: Path, tmp_path: Path, name: str, value: int, message: str
) -> None:
    shutil.copytree(folder, tmp_path / "build")
    path = tmp_path / "build" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["stream"][name] = value
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError) as error:
        open_build(tmp_path / "build")
    assert str(error.value) == f"{path}: {message}"


def test_damaged_images_are_named(folder: Path, tmp_path: Path) -> None:
    build_dir = tmp_path / "build"
    shutil.copytree(folder, build_dir)
    image = build_dir / "layer0_rows.hex"
    whole = image.read_text()
    for text, message in (
        (whole[: whole.rindex("\n", 0, -1) + 1], f"{image} must hold 12 words, not 11"),
        ("zz\n", f"{image} must hold hexadecimal words, not 'zz'"),
        (None, f"cannot read {image}: No such file or directory"),
    ):
        image.unlink() if text is None else image.write_text(text)
        with pytest.raises(InputError) as error:
            open_build(build_dir)
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"load": 7}, "load must be an object with a fingerprint, not 7"),
        ({"capacity": None}, "capacity must be an object with a list of layers, not None"),
    ],
)
def test_a_damaged_manifest_of_a_loadable_core(
    loadable: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    shutil.copytree(loadable, tmp_path / "build")
    path = tmp_path / "build" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError) as error:
        open_build(tmp_path / "build")
    assert str(error.value) == f"{path}: {message}"
