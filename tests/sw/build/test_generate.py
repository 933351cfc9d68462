import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from random_networks import random_network
from spikewright import __version__
from spikewright.build.generate import Loadable, build, memory_bits, open_build, write_image
from spikewright.contract.bounds import layer_bounds
from spikewright.contract.devices import TARGETS
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import load_info, load_model, save_model
from spikewright.layout.capacity import capacity_of
from spikewright.layout.pack import pack
from spikewright.layout.prune import prune
from spikewright.predict.cycles import CycleModel
from spikewright.support.files import sha256

KIT = ("README.md", "spikewright_core.core", "kit")


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return random_network(5, timesteps=6)


@pytest.fixture(scope="module")
def model(spec: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, spec, {"timestep": 0.01})
    return path


@pytest.fixture(scope="module")
def folder(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("build") / "build"
    build(model, path, lanes=2)
    return path


def test_the_folder_holds_what_the_manifest_says(folder: Path, model: Path, spec: NetworkSpec) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    images = {f"{name}.hex" for name in manifest["images"]}
    files = {path.name for path in folder.iterdir()}
    assert files == {*manifest["verilog"], "model.safetensors", "manifest.json", *images, *KIT}
    for name, image in manifest["images"].items():
        words = [line for line in (folder / f"{name}.hex").read_text().splitlines() if not line.startswith("//")]
        assert len(words) == image["words"]
        assert all(int(word, 16) < 1 << image["width"] for word in words)
    assert manifest["model_sha256"] == sha256(model)
    assert manifest["lanes"] == 2
    assert manifest["network"] == [12, 9, 7, 5]
    assert manifest["sample"] == [6, 12]
    assert manifest["synapses"] == sum(int(np.count_nonzero(layer.weights)) for layer in spec.layers)
    assert manifest["weights"] == 9 * 12 + 7 * (9 + 7) + 5 * 7 + 9 * 9 * spec.layers[0].recurrent - 7 * 7 * (
        not spec.layers[1].recurrent
    )
    assert manifest["predicted_cycles"]["silent_sample"] > spec.timesteps


def test_neurons_without_effect_are_left_out_on_request(spec: NetworkSpec, tmp_path: Path) -> None:
    first, second, last = spec.layers
    weights = last.weights.copy()
    weights[:, :6] = 0
    own = second.weights.copy()
    own[:, second.inputs :] = 0
    idle = replace(spec, layers=(first, replace(second, weights=own), replace(last, weights=weights)))
    save_model(tmp_path / "idle.safetensors", idle)
    manifest = build(tmp_path / "idle.safetensors", tmp_path / "build", lanes=2, without_idle=True)
    smaller, removed = prune(idle)
    assert manifest["removed"] == removed
    # All but the seventh reach nobody; one of them stays if that one cannot fire.
    assert len({*removed["dead"][1], *removed["silent"][1]}) == 6
    assert manifest["network"] == [12, smaller.layers[0].neurons, 1, 5]
    written = load_model(tmp_path / "build" / "model.safetensors")
    assert [layer.neurons for layer in written.layers] == manifest["network"][1:]
    assert open_build(tmp_path / "build")[1].network.layers[1].neurons == 1


def test_memory_bits_add_up(folder: Path, spec: NetworkSpec) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    bits = manifest["memory_bits"]
    images = sum(image["words"] * image["width"] for image in manifest["images"].values())
    written = {name: value for name, value in bits.items() if name.endswith(("_membranes", "_ring"))}
    assert sum(bits.values()) == images + sum(written.values())
    state_bits = layer_bounds(spec.layers[0], 6).state_bits
    assert written["layer0_membranes"] == 5 * 2 * state_bits  # nine neurons: five rows of two lanes
    assert "layer1_ring" in written
    assert "layer0_ring" not in written


def test_more_lanes_store_the_same_synapses(spec: NetworkSpec) -> None:
    # Images of the same memory in several lanes are one entry, whatever the number of lanes.
    images = {f"layer0_synapses{lane}": {"words": 3, "width": 8} for lane in range(16)}
    assert memory_bits(pack(spec, 16), images)["layer0_synapses"] == 16 * 24


def test_open_build_returns_the_core(folder: Path, spec: NetworkSpec) -> None:
    manifest, core = open_build(folder)
    assert core.lanes == manifest["lanes"] == 2
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(core.network.layers, spec.layers, strict=True))
    assert load_info(folder / "model.safetensors") == {"timestep": 0.01}
    assert load_model(folder / "model.safetensors").timesteps == spec.timesteps


def test_build_is_deterministic(folder: Path, model: Path, tmp_path: Path) -> None:
    build(model, tmp_path / "again", lanes=2)
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert Path("kit/cocotb/Makefile") in files
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes(), file


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_as_before(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    found = []

    def generate(*_: object, **options: object) -> None:
        found.append(gc.isenabled())
        raise RuntimeError("stopped")

    monkeypatch.setattr("spikewright_hw.verilog.generate", generate)
    try:
        gc.enable() if enabled else gc.disable()
        with pytest.raises(RuntimeError, match="stopped"):
            build(model, tmp_path / "build", lanes=1)
        assert (found, gc.isenabled()) == ([False], enabled)
    finally:
        gc.enable()


def test_bad_lanes(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        build(model, tmp_path / "build", lanes=3)
    assert str(caught.value) == "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 3"
    assert list(tmp_path.iterdir()) == []


def test_the_encoding_of_every_layer_is_kept(model: Path, tmp_path: Path) -> None:
    manifest = build(model, tmp_path / "auto", lanes=2)
    for where, sizes in manifest["encodings"].items():
        assert sizes[manifest["encoding"][where]]["bits"] <= sizes["absolute"]["bits"]
    for layers, memories in (("parallel", ["layer0", "layer1", "layer2"]), ("shared", ["engine"])):
        for encoding in encoding_names():
            folder = tmp_path / f"{layers}-{encoding}"
            manifest = build(model, folder, lanes=2, layers=layers, encoding=encoding)
            assert manifest["encoding"] == dict.fromkeys(memories, encoding)
            assert {image.encoding for image in open_build(folder)[1].memories.values()} == {encoding}
            for where in memories:
                bits = sum(manifest["memory_bits"][f"{where}_{name}"] for name in ("rows", "synapses"))
                assert bits == manifest["encodings"][where][encoding]["bits"]


def test_memories_are_those_for_the_target(tmp_path: Path) -> None:
    """About 1,800 synapses of 13 bits in a lane."""
    network = random_network(2, (140, 32, 3), recurrent=(False,), density=0.4)
    save_model(tmp_path / "model.safetensors", network, {})
    names = {}
    for target in TARGETS:
        manifest = build(tmp_path / "model.safetensors", tmp_path / target, 1, encoding="absolute", target=target)
        assert manifest["target"] == target
        images = [(name, image) for name, image in manifest["images"].items() if name.startswith("layer0_synapses0")]
        names[target] = [(name, image["width"]) for name, image in images]
        bits = sum(image["words"] * image["width"] for _, image in images)
        assert manifest["memory_bits"]["layer0_synapses"] == bits
        assert len({image["words"] for _, image in images}) == 1
        assert open_build(tmp_path / target)[1].layers[0].encoding == "absolute"
    assert names["ecp5"] == [("layer0_synapses0_bits0", 9), ("layer0_synapses0_bits9", 4)]
    assert names["ice40"] == [("layer0_synapses0", 13)]


def test_an_encoding_is_missing(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "build")
    path = tmp_path / "build" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "encoding": {"engine": "bitmap"}}))
    with pytest.raises(InputError) as caught:
        open_build(tmp_path / "build")
    assert str(caught.value) == f"{path}: encoding must have 3 entries, not 1"


def test_bad_encodings(model: Path, tmp_path: Path) -> None:
    for options, reason in (
        ({"target": "ecp6"}, "target must be one of ecp5, gowin, ice40, not 'ecp6'"),
        ({"encoding": "huffman"}, "encoding must be auto or one of absolute, relative, bitmap, not 'huffman'"),
        (
            {"encoding": "bitmap", "loadable": Loadable(0.1)},
            "encoding of a core that is loaded at run time must be absolute, not bitmap",
        ),
        (
            {"target": "ice40", "loadable": Loadable(0.1)},
            "target must be left out for a core that is loaded at run time, and not be ice40",
        ),
    ):
        with pytest.raises(InputError) as caught:
            build(model, tmp_path / "build", lanes=2, **options)
        assert str(caught.value) == reason
    assert list(tmp_path.iterdir()) == []
    assert build(model, tmp_path / "build", lanes=2, loadable=Loadable(0.1))["encoding"] == dict.fromkeys(
        ["layer0", "layer1", "layer2"], "absolute"
    )


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


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("other") / "other.safetensors"
    save_model(path, random_network(6, timesteps=6))
    return path


@pytest.fixture(scope="module")
def loadable(model: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loadable") / "build"
    build(model, path, lanes=2, loadable=Loadable(0.0, [other]))
    return path


def test_a_loadable_folder_holds_the_load_image(loadable: Path, model: Path) -> None:
    manifest, core = open_build(loadable)
    assert {path.name for path in loadable.iterdir()} == {
        "spikewright_core.v",
        "spikewright_ram.v",
        *KIT,
        "model.safetensors",
        "manifest.json",
        "weights.bin",
    }
    assert core.loadable
    assert capacity_of(core).as_dict() == manifest["capacity"]
    load = manifest["load"]
    assert (load["image"], load["bytes"]) == ("weights.bin", (loadable / "weights.bin").stat().st_size)
    stored = sum(image["words"] * image["width"] for image in load["memories"].values())
    written = [value for name, value in manifest["memory_bits"].items() if name.endswith(("_membranes", "_ring"))]
    assert sum(manifest["memory_bits"].values()) == stored + sum(written)


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


def test_a_loadable_core_keeps_idle_neurons(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        build(model, tmp_path / "build", without_idle=True, loadable=Loadable(0.0))
    assert str(error.value) == "a core that is loaded at run time must have all neurons, not be without idle ones"


def test_shared_lanes_are_loadable(model: Path, other: Path, tmp_path: Path) -> None:
    made = build(model, tmp_path / "build", lanes=2, layers="shared", loadable=Loadable(0.0, [other]))
    assert {name.partition("_")[0] for name in made["load"]["memories"]} == {"engine", "layer1"}
    manifest, core = open_build(tmp_path / "build", other)
    assert core.common.keys() == {"engine"}
    assert capacity_of(core).as_dict() == manifest["capacity"]
    write_image(model, tmp_path / "build", tmp_path / "own.bin")
    assert (tmp_path / "own.bin").read_bytes() == (tmp_path / "build" / "weights.bin").read_bytes()
    dense = tmp_path / "dense.safetensors"
    save_model(dense, random_network(6, timesteps=6, density=1.0))
    with pytest.raises(InputError) as error:
        write_image(dense, tmp_path / "build", tmp_path / "image.bin")
    limit = manifest["capacity"]["engine"]["synapses"]
    assert str(error.value).startswith(f"{dense}: engine, synapses of a lane must be at most {limit}, not ")
    path = tmp_path / "build" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "layers": "parallel"}))
    with pytest.raises(InputError) as error:
        open_build(tmp_path / "build")
    assert str(error.value) == f"{path}: capacity must be of parallel layers, not of shared ones"


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
