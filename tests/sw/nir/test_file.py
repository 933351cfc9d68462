"""Checkpoints of foreign networks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from nir_files import recurrent, write
from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import load_weights, read_checkpoint
from spikewright.nir.file import is_foreign, load_foreign, save_foreign
from spikewright.nir.load import import_nir
from spikewright.nir.network import ForeignNetwork


def saved(path: Path) -> ForeignNetwork:
    settings = {"reset": "sub_delayed", "lif.v_min": "-2"}
    network = import_nir(write(path / "net.nir", *recurrent()), "snntorch", settings, timesteps=20, decision="max")
    save_foreign(path / "net.safetensors", network, {"from": "a test"})
    return network


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    network = saved(tmp_path)
    again, info = load_foreign(tmp_path / "net.safetensors")
    assert is_foreign(tmp_path / "net.safetensors")
    assert info == {"from": "a test", "names": ["lif"]}
    assert (again.timesteps, again.decision, again.dialect) == (20, "max", network.dialect)
    assert again.layers[0].rule == network.layers[0].rule
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (4, 20, 5)))
    one, other = network.run(x), again.run(x)
    assert torch.equal(one.scores, other.scores)
    assert torch.equal(one.membranes["lif"], other.membranes["lif"])


def altered(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        metadata = {name: value if name == "format" else json.loads(value) for name, value in file.metadata().items()}
    change(tensors, metadata)
    save_file(
        tensors, path, {name: value if name == "format" else json.dumps(value) for name, value in metadata.items()}
    )
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: t.pop("graph/lif/tau"), "node 'lif': tau must be given, not left out"),
        (lambda t, m: t["graph/fc/weight"].fill_(torch.nan), r"node 'fc': weight\[0, 0\] must be finite, not nan"),
        (
            lambda t, m: t.update({"graph/x/y": torch.ones(1)}),
            "tensor 'x/y' must be a field of a node",
        ),
        (lambda t, m: m["graph"]["edges"].append(["lif", "ghost"]), "node 'ghost': edges must be between nodes"),
        (lambda t, m: m["graph"].update(edges=3), "metadata 'graph' must hold nodes, edges and the inner nodes"),
        (lambda t, m: m["graph"].update(inner=["ghost"]), "node 'ghost': inner must be nodes of the graph"),
        (lambda t, m: m["dialect"].update(settings=3), "metadata 'dialect' must hold a name, a content and settings"),
        (lambda t, m: m["dialect"]["settings"].update(reset='"hard"'), "--set reset must be one of zero, sub"),
        (lambda t, m: m["network"].update(timesteps=0), "timesteps must be 1 .. 65535, not 0"),
        (lambda t, m: m["network"].update(decision="best"), "decision must be one of sum, count, max, last"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object], message: str
) -> None:
    saved(tmp_path)
    path = altered(tmp_path / "net.safetensors", change)
    with pytest.raises(InputError, match=f"^{path}: {message}"):
        load_foreign(path)


def test_what_is_no_such_file_is_seen(tmp_path: Path) -> None:
    assert not is_foreign(tmp_path / "none")
    (tmp_path / "text").write_text("text")
    assert not is_foreign(tmp_path / "text")


def test_it_is_a_checkpoint_like_any_other(tmp_path: Path) -> None:
    foreign = saved(tmp_path)
    network, config, info = read_checkpoint(tmp_path / "net.safetensors")
    assert info == {"from": "a test", "names": ["lif"]}
    assert (config.network.readout, config.network.timesteps, network.recipe) == ("max", 20, config)
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (4, 20, 5)))
    with torch.no_grad():
        assert torch.equal(network.run(x).spikes[0].double(), foreign.run(x).spikes["lif"])
    load_weights(network, tmp_path / "net.safetensors")


def test_what_hardware_does_not_compute_is_alone_in_its_file_with_the_reason(tmp_path: Path) -> None:
    network = import_nir(write(tmp_path / "net.nir", *recurrent()), "snntorch", {"reset": "sub"})
    reason = "timesteps must be given to `spikewright import`, by --timesteps, not left out"
    assert save_foreign(tmp_path / "net.safetensors", network, {}) == reason
    assert is_foreign(tmp_path / "net.safetensors")
    assert load_foreign(tmp_path / "net.safetensors")[0].timesteps is None
    with pytest.raises(InputError, match=f"^{tmp_path / 'net.safetensors'}: {reason}$"):
        read_checkpoint(tmp_path / "net.safetensors")
