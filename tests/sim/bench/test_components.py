from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from spikewright_hw.rom import Rom
from spikewright_sim.bench import components
from spikewright_sim.bench.components import Compiled, run_components


def compiled(*words: int) -> Compiled:
    """Without an executable, as nothing is run."""
    with TemporaryDirectory() as folder:
        text, _ = components._convert({"one": Rom(name="one", width=4, words=words)}, Path(folder))
    return Compiled(Path("missing"), text)


def test_components_must_be_those_that_were_compiled(tmp_path: Path) -> None:
    other = {"one": Rom(name="one", width=5, words=[3, 2])}
    with pytest.raises(ValueError) as error:
        run_components(compiled(3, 2), other, "spikewright_sim.bench.layer", {}, tmp_path, seed=0)
    assert str(error.value) == "components must be those that were compiled, up to the contents of memories"
    assert list(tmp_path.iterdir()) == []


def test_contents_are_not_part_of_the_verilog() -> None:
    assert compiled(3, 2).verilog == compiled(0, 3).verilog
    assert compiled(3, 2).verilog != compiled(3, 2, 1).verilog


def test_ports_carry_the_name_of_their_component(tmp_path: Path) -> None:
    roms = {name: Rom(name=f"layer_{name}", width=4, words=[1, 2]) for name in ("a", "b")}
    text, images = components._convert(roms, tmp_path)
    header = text[text.index("module components(") :].split(";")[0]
    for name in ("a", "b"):
        for port in ("addr", "en", "data"):
            assert f"{name}__{port}" in header
    assert set(images.images) == {"layer_a", "layer_b"}
