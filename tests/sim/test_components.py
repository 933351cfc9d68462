from pathlib import Path

import pytest

from spikewright_hw.delay import DelayBuffer
from spikewright_sim import components
from spikewright_sim.components import Compiled, run_components


def compiled(*delays: int) -> Compiled:
    """Without an executable, as nothing is run."""
    text, _ = components._convert({"one": DelayBuffer(list(delays), name="one")})
    return Compiled(Path("missing"), text)


def test_components_must_be_those_that_were_compiled(tmp_path: Path) -> None:
    other = {"one": DelayBuffer([3, 5], name="one")}
    with pytest.raises(ValueError) as error:
        run_components(compiled(3, 2), other, "spikewright_sim.bench_delay", {}, tmp_path, seed=0)
    assert str(error.value) == "components must be those that were compiled, up to the contents of memories"
    assert list(tmp_path.iterdir()) == []


def test_contents_are_not_part_of_the_verilog() -> None:
    assert compiled(3, 2).verilog == compiled(0, 3).verilog
    assert compiled(3, 2).verilog != compiled(3, 4).verilog


def test_ports_carry_the_name_of_their_component() -> None:
    text, images = components._convert(
        {name: DelayBuffer([0, 1], name=f"layer_{name}") for name in ("a", "b")},
    )
    header = text[text.index("module components(") :].split(";")[0]
    for name in ("a", "b"):
        for port in ("spikes__payload", "spikes__ready", "events__valid"):
            assert f"{name}__{port}" in header
    assert set(images.images) == {"layer_a_delays", "layer_b_delays"}
