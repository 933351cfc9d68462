"""NIR files of our own: read back to the same network, and run by other libraries to the same spikes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nir_files import recurrent, write
from spikewright.contract.errors import InputError
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.nir.convert import as_spiking_network
from spikewright.nir.export import export_nir
from spikewright.nir.graph import read_graph
from spikewright.nir.load import import_nir


def made(*layers: dict[str, Any], **settings: Any) -> SpikingNetwork:
    configured = tuple(LayerConfig(**layer) for layer in layers)
    shape = {"inputs": 12, "classes": 3, "timesteps": 40, "readout_tau": 3.0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SpikingNetwork(NetworkConfig(layers=configured, **{**shape, **settings}))
        for layer in network.spiking_layers():
            if layer.norm is not None:
                layer.norm.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr,operator]
                layer.norm.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr,operator]
    return network.eval()


def counts() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).poisson(0.6, (4, 40, 12)))


@torch.no_grad()
def test_what_was_written_is_read_back_as_the_same_network(tmp_path: Path) -> None:
    layers = ({"neurons": 20, "tau": 1.05}, {"neurons": 10, "tau": 2.0, "recurrent": True, "reset": "soft"})
    network = made(*layers, input_scale=0.5)
    settings = export_nir(network, tmp_path / "net.nir")
    assert settings == {"lif0.reset": "zero", "lif1.reset": "sub"}
    foreign = import_nir(tmp_path / "net.nir", "spikewright", settings, timesteps=40)
    again = as_spiking_network(foreign)
    for own, read in zip(network.config.layers, again.config.layers, strict=True):
        assert (own.tau, own.threshold, own.reset) == (read.tau, read.threshold, read.reset)
    assert again.config.readout_tau == 3.0
    for own, read in zip(network.spiking_layers(), again.spiking_layers(), strict=True):
        scale = 0.5 if own is network.layers[0] else 1.0
        for one, other in zip(own.folded(scale), read.folded(), strict=True):
            assert torch.equal(one.float(), other.float())
        if own.config.recurrent:
            assert torch.equal(own.recurrent_weight, read.recurrent_weight)
            assert torch.equal(own.delays.round(), read.delays)
    assert torch.equal(network.readout.weight, again.readout.weight)
    expected = network.run(counts())
    for trace in (foreign.run(counts()).spikes.values(), again.run(counts()).spikes):
        for own, read in zip(expected.spikes, trace, strict=True):
            assert 0.01 < own.mean() < 0.9
            assert torch.equal(own, read.to(own.dtype))


@pytest.mark.parametrize(("reset", "most"), [("late", 1), ("none", 1), ("dead", 1), ("twice", 1), ("hard", 3)])
@torch.no_grad()
def test_resets_leaks_floors_delays_and_several_spikes_are_read_back(tmp_path: Path, reset: str, most: int) -> None:
    layers = (
        {"neurons": 20, "tau": float("inf"), "reset": "soft", "own": ("floor",), "onward": 3, "strict": True},
        {"neurons": 10, "reset": reset, "own": ("leak",), "recurrent": reset in ("late", "hard"), "threshold": 0.5},
    )
    layers[1]["max_spikes"] = most
    network = made(*layers, readout_own=("leak",))
    network.layers[0].onward.copy_(torch.arange(20) % 4)  # type: ignore[union-attr,operator]
    network.layers[1].leak.copy_(torch.linspace(0.0, 0.95, 10))  # type: ignore[union-attr,operator]
    network.readout.leak.copy_(torch.tensor([0.2, 0.5, 0.75]))  # type: ignore[union-attr]
    settings = export_nir(network, tmp_path / "net.nir")
    assert (settings["lif0.cmp"], float(settings["lif0.v_min"]), settings["lif0.reset"]) == (">", -1.0, "sub")
    foreign = import_nir(tmp_path / "net.nir", "spikewright", settings, timesteps=40)
    again = as_spiking_network(foreign)
    assert [layer.own for layer in again.config.layers] == [("floor",), ("leak",)]
    assert (again.config.layers[1].reset, again.config.layers[1].max_spikes) == (reset, most)
    expected = network.run(counts())
    found = again.run(counts())
    for own, read in zip(expected.spikes, found.spikes, strict=True):
        assert 0.01 < own.mean() < 0.9
        assert torch.equal(own, read)
    assert expected.spikes[1].max() == most
    torch.testing.assert_close(expected.scores, found.scores)


def test_an_imported_network_is_written_as_it_was_read(tmp_path: Path) -> None:
    network = import_nir(write(tmp_path / "net.nir", *recurrent()), "snntorch", {"reset": "zero"})
    assert export_nir(network, tmp_path / "again.nir") == {"reset": '"zero"'}
    one, other = (read_graph(tmp_path / name) for name in ("net.nir", "again.nir"))
    assert one.nodes.keys() == other.nodes.keys()
    assert sorted(one.edges) == sorted(other.edges)
    for name, node in one.nodes.items():
        for key, value in vars(node).items():
            np.testing.assert_array_equal(getattr(other.nodes[name], key), value)


def test_the_form_is_the_one_that_all_libraries_read(tmp_path: Path) -> None:
    export_nir(made({"neurons": 4, "tau": 4.0, "threshold": 0.8}), tmp_path / "net.nir", "snntorch")
    nodes = read_graph(tmp_path / "net.nir").nodes
    lif: Any = nodes["lif0"]
    assert (lif.r[0], lif.tau[0], lif.v_threshold[0], lif.v_reset[0]) == (1.0, 4e-4, pytest.approx(0.2), 0.0)
    assert type(nodes["li"]).__name__ == "LIF"


@pytest.mark.parametrize(
    ("layer", "settings", "dialect", "message"),
    [
        ({"reset": "soft"}, {}, "norse", "reset of layer 0 must be hard for norse, not soft"),
        ({"reset": "soft"}, {}, "snntorch", "reset of layer 0 must be hard for snntorch, not soft"),
        ({"recurrent": True}, {}, "norse", "layer 0 must have no recurrence for norse, which reads no delays, not one"),
        ({"strict": True}, {}, "spikingjelly", "strict of layer 0 must be false for spikingjelly, not true"),
        (
            {"own": ("leak",)},
            {},
            "snntorch",
            "layer 0 must have a leak, no constants of its own and no delays for snntorch",
        ),
        (
            {"own": ("start",)},
            {},
            "spikewright",
            "start of layer 0 must be 0 to be exported, not one for each neuron",
        ),
        (
            {},
            {"readout_own": ("start",)},
            "spikewright",
            "readout of a network to export must start at 0 and leak, without a synaptic current and a floor, not "
            "otherwise",
        ),
        (
            {"own": ("current_start",), "tau_syn": 1.5},
            {},
            "spikewright",
            "tau_syn of layer 0 must be 1 to be exported, not 1.5",
        ),
        ({"tau_syn": 2.0}, {}, "spikewright", "tau_syn of layer 0 must be 1 to be exported, not 2"),
        ({"max_spikes": 3}, {}, "norse", "max_spikes of layer 0 must be 1 for norse, not 3"),
        ({"tau": 1.0}, {}, "spikingjelly", "tau of layer 0 must be above 1 step for spikingjelly, not 1"),
        ({}, {"readout": "softmax_sum"}, "norse", "readout of a network to export must be 'sum', not 'softmax_sum'"),
        ({}, {}, "brian", "dialect must be one of spikewright, norse, snntorch, spikingjelly, not 'brian'"),
    ],
)
def test_what_a_library_does_not_compute_alike_is_refused(
    tmp_path: Path, layer: dict[str, Any], settings: dict[str, Any], dialect: str, message: str
) -> None:
    with pytest.raises(InputError) as raised:
        export_nir(made({"neurons": 4, **layer}, **settings), tmp_path / "net.nir", dialect)
    assert str(raised.value) == message
    assert not list(tmp_path.iterdir())


def snntorch(graph: Any) -> Any:
    return pytest.importorskip("snntorch.import_nir").import_from_nir(graph)


def norse(graph: Any) -> Any:
    return pytest.importorskip("norse.torch").from_nir(graph, dt=1e-4)


def spikingjelly(graph: Any) -> Any:
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    return exchange.import_from_nir(graph, dt=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", [snntorch, norse, spikingjelly], ids=lambda library: library.__name__)
@torch.no_grad()
def test_a_library_fires_as_we_do(tmp_path: Path, library: Callable[[Any], Any]) -> None:
    nir = pytest.importorskip("nir")
    layer = {"batch_norm": False, "bias": True}
    network = made({"neurons": 20, "tau": 2.0, **layer}, {"neurons": 10, "tau": 4.0, "threshold": 0.7, **layer})
    export_nir(network, tmp_path / "net.nir", library.__name__)
    model = library(nir.read(tmp_path / "net.nir"))
    fired: dict[str, list[torch.Tensor]] = {"lif0": [], "lif1": []}
    for name, module in model.named_modules():
        if name in fired:
            module.register_forward_hook(
                lambda module, given, made, name=name: fired[name].append(made[0] if isinstance(made, tuple) else made)
            )
    state = None
    for step in counts().float().transpose(0, 1):
        _, state = model(step) if state is None else model(step, state)
    for found, expected in zip(fired.values(), network.run(counts()).spikes, strict=True):
        assert 0.05 < expected.mean() < 0.9
        assert torch.equal(torch.stack(found, dim=1), expected)
