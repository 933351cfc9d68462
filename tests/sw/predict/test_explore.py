"""The design space: every lane count once, the front right, files whole."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from random_networks import random_counts, random_network
from spikewright.cli.main import main
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.names import LAYERS
from spikewright.data.shd import SpikeData
from spikewright.integer.file import save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import pack
from spikewright.layout.price import Resources
from spikewright.predict import explore as explore_module
from spikewright.predict.cycles import CycleModel
from spikewright.predict.explore import Design, explore, front, lanes_of, recommended, rows
from spikewright.predict.resources import estimate
from spikewright.report.front_files import COLUMNS, write
from spikewright.support.shipped import asset
from spikewright_boards.catalog import find


def design(cycles, brams, luts, accuracy=0.5):
    return Design(8, 1, accuracy, (cycles, float(cycles), cycles), Resources(luts, 0, brams, 0), fits=True)


def data(samples=3):
    counts = random_counts(5, random_network(2), samples).astype(np.uint8)
    return SpikeData(counts, np.zeros(samples, dtype=np.int64), np.zeros(samples, dtype=np.int64), ("a", "b"))


def test_the_front_holds_what_nothing_else_beats():
    fast, small, between = design(10, 9, 900), design(100, 1, 100), design(50, 5, 500)
    beaten = design(60, 5, 500)
    assert front([fast, beaten, small, between]) == [fast, small, between]


def test_equal_designs_are_both_on_the_front():
    assert len(front([design(1, 1, 1), design(1, 1, 1)])) == 2


@pytest.mark.parametrize("better", [{"cycles": 9}, {"brams": 4}, {"luts": 99}, {"accuracy": 0.6}])
def test_one_better_cost_is_enough_to_stay(better):
    usual = {"cycles": 10, "brams": 5, "luts": 100, "accuracy": 0.5}
    worse = {"cycles": 20, "brams": 6, "luts": 200, "accuracy": 0.4} | better
    assert len(front([design(**usual), design(**worse)])) == 2
    assert len(front([design(**usual), design(**(worse | {name: usual[name] for name in better}))])) == 1


def test_the_design_to_start_from_is_fast_for_its_share_of_the_board():
    board = find("ulx3s-85f")  # 83,640 LUTs, 208 block RAMs
    small, large, middle = design(1000, 2, 836), design(10, 104, 8364), design(50, 2, 1673)
    assert recommended([small, large, middle], board, 1000) is middle
    of_luts = design(50, 2, 8364)  # takes a tenth of the LUTs
    assert recommended([of_luts, small], board, 1000) is of_luts
    assert recommended([design(20, 20, 0), design(10, 40, 0)], board, 1000).cycles[1] == 10


def test_the_design_to_start_from_fits_and_is_accurate():
    board = find("ulx3s-85f")
    best, worse, close = design(100, 10, 100), design(50, 10, 100, 0.48), design(60, 10, 100, 0.49)
    assert recommended([best, worse, close], board, 1000) is close
    assert recommended([best, worse], board, 1000) is best
    assert recommended([best, worse], board, 50) is worse  # a single sample
    assert recommended([replace(best, fits=False), worse], board, 1000) is worse
    assert recommended([replace(best, fits=False)], board, 1000) is None


def test_a_lane_has_at_least_a_neuron():
    assert lanes_of(random_network(1)) == [1, 2, 4, 8]
    assert lanes_of(random_network(1, (4, 2, 1))) == [1, 2]
    assert lanes_of(random_network(1, (4, 100, 5)))[-1] == 64


def test_cycles_and_accuracy_are_those_of_the_models(monkeypatch):
    monkeypatch.setattr(explore_module, "_BATCH", 2)
    network, samples = random_network(2), data()
    trace = IntegerNetwork(network).run(torch.from_numpy(samples.counts))
    designs = explore({8: network}, samples, find("ulx3s-85f"))
    assert [(found.layers, found.lanes) for found in designs if found.encoding == "auto"] == [
        (layers, lanes) for layers in LAYERS for lanes in (1, 2, 4, 8)
    ]
    for found in designs:
        core = pack(network, found.lanes, layers=found.layers, encoding=found.encoding)
        alone = [
            CycleModel(core).run(samples.counts[b], [layer[b].numpy() for layer in trace.spikes], 0).latency
            for b in range(3)
        ]
        assert found.cycles == (min(alone), sum(alone) / 3, max(alone))
        assert 0 < found.after_input < min(alone)
        assert found.accuracy == float((trace.classes == 0).double().mean())
        assert found.resources == estimate(core, find("ulx3s-85f"))


@pytest.mark.parametrize(("neurons", "missing"), [(40, set()), (65, {"bitmap"})])
def test_every_encoding_is_tried_once(neurons, missing):
    """Sparse rows of the shortest weights: none is all that a core would choose by itself."""
    network = random_network(2, (20, neurons, 5), recurrent=(False,), density=0.3)
    one = np.zeros(1, dtype=np.int64)
    samples = SpikeData(np.zeros((1, 20, 20), dtype=np.uint8), one, one, ("a",))
    designs = [found for found in explore({8: network}, samples, find("ulx3s-85f")) if found.lanes == 1]
    for layers in ("parallel", "shared"):
        core = pack(network, 1, layers=layers)
        uniform = {image.encoding for image in core.memories.values()}
        expected = set(encoding_names()) - missing - (uniform if len(uniform) == 1 else set())
        found = [found.encoding for found in designs if found.layers == layers]
        assert found[0] == "auto"
        assert sorted(found[1:]) == sorted(expected)
        assert len({found.cycles for found in designs if found.layers == layers}) == 1


def test_what_is_too_large_does_not_fit():
    network = random_network(3, (140, 200, 10), recurrent=(False,))
    one = np.zeros(1, dtype=np.int64)
    samples = SpikeData(np.zeros((1, 20, 140), dtype=np.uint8), one, one, ("a",))
    assert not any(design.fits for design in explore({8: network}, samples, find("icebreaker")))
    assert all(design.fits for design in explore({8: network}, samples, find("ulx3s-85f")))
    # Dense neurons that share no slot and read values of which there are too many: two multipliers each.
    large = explore(
        {8: random_network(3, (140, 200, 10), recurrent=(False,), value_bits=9)}, samples, find("ulx3s-85f")
    )
    assert all(design.fits for design in large if design.layers != "slotted")
    slotted = [design for design in large if design.layers == "slotted"]
    assert all(design.resources.dsps > find("ulx3s-85f").device.dsps and not design.fits for design in slotted)


def test_no_samples_are_refused():
    with pytest.raises(InputError, match=r"^data must hold at least one sample, not 0$"):
        explore({8: random_network(1)}, data().first(0), find("ulx3s-85f"))


def report():
    points = rows(explore({8: random_network(2)}, data(), find("ulx3s-85f")), 50.0)
    return {
        "board": "ulx3s-85f", "available": {"luts": 83640, "brams": 208}, "clock_mhz": 50.0, "points": points,
        "model": "<model>", "samples": 3, "recommended": points[0],
    }  # fmt: skip


def test_the_files_hold_the_points_and_the_same_points_give_the_same_bytes(tmp_path):
    content = report()
    for name in ("one", "other"):
        write(tmp_path / name, content)
    for name in ("explore.json", "front.csv", "front.svg", "front.png", "index.html", "manifest.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "explore.json").read_text()) == content
    table = list(csv.DictReader(io.StringIO((tmp_path / "one" / "front.csv").read_text())))
    assert tuple(table[0]) == COLUMNS
    assert [float(row["cycles"]) for row in table] == [point["cycles"]["mean"] for point in content["points"]]
    assert [float(row["microseconds"]) * 50 for row in table] == pytest.approx(
        [point["cycles"]["mean"] for point in content["points"]]
    )
    with Image.open(tmp_path / "one" / "front.png") as image:
        assert image.width > 600
    svg = (tmp_path / "one" / "front.svg").read_text()
    assert "Latency at 50 MHz" in svg
    assert "8 bits (" in svg


def test_somebody_elses_folder_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    with pytest.raises(InputError):
        write(tmp_path / "mine", report())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "file").read_text() == "kept"


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "shd_test.h5").symlink_to(asset("synth_sample.h5"))
    return folder


def run(capsys, *argv):
    status = main(["explore", *map(str, argv)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_checkpoint_is_explored_in_all_widths(tmp_path, capsys, digits):
    argv = [asset("synth-small.safetensors"), "--data", digits, "--samples", 3, "--board", "icebreaker"]
    status, out, _ = run(capsys, *argv, "--out", tmp_path / "out", "--json")
    assert status == 0
    found = json.loads(out)
    assert (found["samples"], found["board"], found["clock_mhz"]) == (3, "icebreaker", 12)
    kinds = [(bits, layers) for bits in (8, 6, 4) for layers in LAYERS]
    best = [point for point in found["points"] if point["encoding"] == "auto"]
    assert [(p["weight_bits"], p["layers"], p["lanes"]) for p in best] == [
        (*kind, lanes) for kind in kinds for lanes in (1, 2, 4, 8, 16, 32)
    ]
    for kind in kinds:
        cycles = [p["cycles"]["mean"] for p in best if (p["weight_bits"], p["layers"]) == kind]
        # More lanes of a slotted core only update more neurons at once: beyond a few, that is not what takes time.
        assert cycles == sorted(cycles, reverse=True) or (kind[1] == "slotted" and cycles[-1] < 0.7 * cycles[0])
    assert json.loads((tmp_path / "out" / "explore.json").read_text())["points"] == found["points"]
    assert found["recommended"] in [point for point in found["points"] if point["fits"]]
    assert (tmp_path / "out" / "index.html").is_file()


def test_an_integer_network_has_its_own_width(tmp_path, capsys, digits):
    model = tmp_path / "model.safetensors"
    save_model(model, random_network(1, (140, 6, 20), weight_bits=5, value_bits=5, timesteps=100), {})
    status, out, _ = run(capsys, model, "--data", digits, "--samples", 2, "--clock-mhz", 24)
    assert status == 0
    lines = out.splitlines()
    assert [line[:24].rstrip() for line in lines[3:] if line.startswith("5") and "lanes," not in line] == [
        f"5 bits, {lanes:>2} lanes{kind}" for kind in ("", " shared", " slotted") for lanes in (1, 2, 4, 8, 16)
    ]
    assert "at 24 MHz" in lines[2]
    [row] = [line for line in lines if line.endswith("recommended")]
    name = lines[-1].removeprefix("recommended").partition(":")[0].replace(",", "").split()
    assert row.replace(",", "").split()[: len(name)] == name
    message = "--weight-bits must be left out for an integer network, which has its own"
    assert run(capsys, model, "--data", digits, "--weight-bits", "8") == (2, "", f"spikewright: error: {message}\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("8,x", "must be a whole number, not 'x'"),
        ("1", "must be 2 .. 16, not 1"),
        ("8,", "must be a whole number, not ''"),
    ],
)
def test_wrong_widths_are_refused(capsys, digits, text, problem):
    status, out, err = run(capsys, asset("synth-small.safetensors"), "--data", digits, "--weight-bits", text)
    assert (status, out) == (2, "")
    assert err == f"spikewright: error: argument --weight-bits: {problem} (see `spikewright explore --help`)\n"
