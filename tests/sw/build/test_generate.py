import gc
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from random_networks import random_network
from spikewright.build.folder import open_build
from spikewright.build.generate import Loadable, build
from spikewright.build.load_image import write_image
from spikewright.contract.bounds import layer_bounds
from spikewright.contract.devices import TARGETS
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import load_model, save_model
from spikewright.layout.capacity import capacity_of
from spikewright.layout.prune import prune
from spikewright.support.files import sha256

KIT = ("README.md", "spikewright_core.core", "kit")


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
