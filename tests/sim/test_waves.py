"""Waveforms of chosen samples: they show what the core answers, and the view names what is in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.build.generate import build
from spikewright.contract.errors import InputError
from spikewright.integer.file import save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright_sim.core.dut import Dut, Engine
from spikewright_sim.waves import Variable, check_waves, variables, view, write_waves

NETWORK = random_network(5, (6, 5, 3), recurrent=(True,), timesteps=5, value_bits=2)


@pytest.fixture(scope="module")
def dut(tmp_path_factory: pytest.TempPathFactory) -> Dut:
    folder = tmp_path_factory.mktemp("waves")
    save_model(folder / "model.safetensors", NETWORK)
    build(folder / "model.safetensors", folder / "build", 2)
    return Dut.open(folder / "build")


def answers(file: Path, top: str) -> Iterator[int]:
    """`tdata` of every beat with `tlast` that is taken."""
    lines = iter(file.read_text().splitlines())
    names = {}
    for line in lines:
        words = line.split()
        if words[:2] == ["$scope", "module"]:
            scope = words[2]
        elif words[:1] == ["$var"] and scope == top:
            names.setdefault(words[3], words[4])
        elif line.lstrip().startswith("$enddefinitions"):
            break
    now: dict[str, str] = {}
    before = dict(now)
    for line in lines:
        if line.startswith("#"):
            before = dict(now)
            continue
        value, _, code = line[1:].partition(" ") if line.startswith("b") else (line[:1], "", line[1:])
        if (name := names.get(code)) is None:
            continue
        now[name] = value
        ends = all(before.get(f"m_axis_{signal}") == "1" for signal in ("tvalid", "tready", "tlast"))
        if name == "clk" and value == "1" and ends:
            yield int(before["m_axis_tdata"], 2)


@pytest.mark.parametrize("engine", ["native", "cocotb"])
def test_chosen_samples_are_there(dut: Dut, tmp_path: Path, engine: Engine) -> None:
    counts = random_counts(8, NETWORK, 6)
    classes = IntegerNetwork(NETWORK).run(torch.as_tensor(counts)).classes.tolist()
    chosen = [5, 0, 2]
    expected = [classes[number] for number in chosen]
    assert expected != classes[:3], "other samples answer otherwise"
    file = tmp_path / "some.vcd"
    write_waves(dut, counts, chosen, file, engine=engine, seed=3, progress=lambda message: None)
    assert list(answers(file, "spikewright_core")) == expected
    with file.open() as lines:
        found = {variable.line for variable in variables(lines)}
    shown = file.with_suffix(".gtkw").read_text().splitlines()[3:]
    assert {line for line in shown if line[0] not in "@-"} <= found
    groups = [line[1:] for line in shown if line.startswith("-")]
    of_layers = ["layer0", "lane0", "lane0", "lane1", "lane1", "layer0", "layer1", "lane0", "lane0", "layer1"]
    assert groups == ["streams", "streams", *of_layers]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some.gtkw", "some.vcd"]


def test_the_view_has_groups_by_layer_and_lane() -> None:
    core = ("TOP", "left")
    found = [
        Variable(core, "clk", 1),
        Variable(core, "s_axis_tdata", 16),
        Variable(core, "trace10_v", 24),
        Variable(core, "trace2_row", 3),
        Variable(core, "other", 3),
        Variable((*core, "core", "layer2", "synapses", "lane10"), "state", 9),
        Variable((*core, "core", "layer2", "synapses", "lane2"), "_01_", 1),
        Variable((*core, "core", "layer2", "synapses", "lane2"), "add", 1),
        Variable((*core, "core", "engine", "lane0"), "row", 4),
    ]
    assert view(found, "left", Path("/x/y.vcd")).splitlines()[1:] == [
        '[dumpfile] "/x/y.vcd"',
        "[timestart] 0",
        *("@800200", "-streams", "@28", "TOP.left.clk", "@22", "TOP.left.s_axis_tdata[15:0]", "@1000200", "-streams"),
        *("@800200", "-engine", "@c00200", "-lane0", "@24", "TOP.left.core.engine.lane0.row[3:0]"),
        *("@1000200", "-lane0", "@1000200", "-engine"),
        *("@800200", "-layer2", "@24", "TOP.left.trace2_row[2:0]"),
        *("@c00200", "-lane2", "@28", "TOP.left.core.layer2.synapses.lane2.add", "@1000200", "-lane2"),
        *("@c00200", "-lane10", "@420", "TOP.left.core.layer2.synapses.lane10.state[8:0]", "@1000200", "-lane10"),
        *("@1000200", "-layer2"),
        *("@800200", "-layer10", "@22", "TOP.left.trace10_v[23:0]", "@1000200", "-layer10"),
    ]


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("x.fst", [0], "waves must be a file *.vcd, not x.fst"),
        ("x.vcd", [], "samples with waves must be different ones, at least one, not []"),
        ("x.vcd", [1, 1], "samples with waves must be different ones, at least one, not [1, 1]"),
        ("x.vcd", [0, 4], "samples with waves must be 0 .. 3, not 4"),
    ],
)
def test_what_cannot_be_shown_is_refused(name: str, chosen: list[int], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_waves(Path(name), chosen, 4)
    assert str(error.value) == message


def test_the_command_writes_them(dut: Dut, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from spikewright.cli.main import main

    arguments = ["simulate", str(dut.build_dir), "--data", str(tmp_path), "--wave-samples", "1"]
    assert main(arguments) == 2
    assert capsys.readouterr().err == "spikewright: error: --wave-samples must be left out without --waves\n"
