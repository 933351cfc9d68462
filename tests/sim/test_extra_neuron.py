"""A neuron from a file outside the product goes all the way: from training to the simulated Verilog of both engines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import spikewright.contract.neurons
import spikewright.learn.neurons
import spikewright_hw.neurons
from random_networks import HARD, random_counts, random_network
from spikewright.build.folder import open_build
from spikewright.cli.main import main
from spikewright.contract.bounds import neuron_bounds
from spikewright.contract.decay import Decay
from spikewright.contract.names import LAYERS, Layers
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import Neuron, all_neurons, neuron_from
from spikewright.integer.file import load_model, save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.layout.pack import pack
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.predict.resources import estimate
from spikewright_boards.catalog import find
from spikewright_sim.formal.lanes import update
from spikewright_sim.formal.membranes import update_bounds
from spikewright_sim.formal.prove import Proof, prove
from spikewright_sim.runner import simulate

EXTRA = Path(__file__).parents[1] / "extra_neurons"


@pytest.fixture
def clipped(monkeypatch: pytest.MonkeyPatch) -> Neuron:
    for package in (spikewright.contract.neurons, spikewright.learn.neurons, spikewright_hw.neurons):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(EXTRA)])
    return neuron_from({"neuron": "clipped", "depth": 2})


def network(clipped: Neuron) -> NetworkSpec:
    """A layer of it, behind one of another, that does not leak and is drawn far down."""
    spec = random_network(7, (12, 9, 8, 5), recurrent=(False, True), timesteps=10)
    bias = spec.layers[1].bias - 40
    layer = replace(spec.layers[1], neuron=clipped, decay=Decay(1, 0), bias=bias)
    return replace(spec, layers=(spec.layers[0], layer, *spec.layers[2:]))


def test_its_membranes_are_those_of_its_equations(clipped: Neuron, tmp_path: Path) -> None:
    spec = network(clipped)
    save_model(tmp_path / "model.safetensors", spec)
    spec = load_model(tmp_path / "model.safetensors")
    layer = spec.layers[1]
    assert layer.neuron == clipped
    assert layer.threshold is not None
    assert layer.delays is not None
    trace = IntegerNetwork(spec).run(torch.from_numpy(random_counts(7, spec, 3)))
    assert trace.spikes[1].any()
    bounds = neuron_bounds(layer, spec.timesteps)
    assert bounds.after_low.tolist() == (-2 * layer.threshold).tolist()
    for b in range(3):
        v = np.zeros(layer.neurons, dtype=np.int64)
        fired = np.zeros((spec.timesteps, layer.neurons), dtype=np.int64)
        for t in range(spec.timesteps):
            arrived = [fired[t - 1 - d, j] if t > d else 0 for j, d in enumerate(layer.delays.tolist())]
            u = v + layer.bias + layer.weights @ np.concatenate([trace.spikes[0][b, t].numpy(), arrived])
            fired[t] = u >= layer.threshold
            v = np.where(fired[t], u - layer.threshold, np.maximum(u, -2 * layer.threshold))
            assert trace.membranes[1][b, t].tolist() == v.tolist()
            assert trace.spikes[1][b, t].tolist() == fired[t].tolist()
            assert (bounds.state_low <= u).all()
            assert (u <= bounds.state_high).all()


@pytest.mark.parametrize("layers", LAYERS)
def test_it_is_generated_predicted_and_simulated_exactly(
    clipped: Neuron, tmp_path: Path, layers: Layers, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = network(clipped)
    save_model(tmp_path / "model.safetensors", spec)
    argv = ["generate", str(tmp_path / "model.safetensors"), "-o", str(tmp_path / "build"), "--lanes", "1"]
    assert main([*argv, "--layers", layers, "--json"]) == 0
    core = open_build(tmp_path / "build")[1]
    assert [layer.neuron.name for layer in core.network.layers] == ["lif", "clipped", "lif"]
    result = simulate(tmp_path / "build", random_counts(7, spec, 3), np.zeros(3, dtype=np.int64), engine="native")
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
    assert result["cycles_per_inference"] == result["predicted_cycles_per_inference"]
    usual = replace(spec, layers=(spec.layers[0], replace(spec.layers[1], neuron=HARD), *spec.layers[2:]))
    costs = [estimate(pack(each, 1, layers=layers), find("ulx3s-85f")).luts for each in (usual, spec)]
    assert costs[0] < costs[1]


def test_it_is_trained_and_rounded(clipped: Neuron) -> None:
    torch.manual_seed(1)
    layer = LayerConfig(neurons=6, neuron="clipped", tau=4.0, batch_norm=False, bias=True)
    net = SpikingNetwork(NetworkConfig(layers=(layer,), inputs=5, classes=3, timesteps=12))
    with torch.no_grad():
        net.layers[0].weight.sub_(0.2)
    values = torch.randint(0, 3, (4, 12, 5))
    net(values).square().sum().backward()
    assert net.layers[0].weight.grad.abs().sum() > 0
    spec = quantize(net, weight_bits=16, weight_shift=4)
    assert spec.layers[0].neuron.as_dict() == {"neuron": "clipped", "depth": 1}
    net.eval()
    expected = net.run(values).spikes[0]
    assert 0.02 < expected.mean() < 0.5
    trace = IntegerNetwork(spec).run(values)
    assert torch.equal(trace.spikes[0].float(), expected)
    thresholds = torch.tensor(spec.layers[0].threshold)
    assert (trace.membranes[0] >= -thresholds).all()
    assert (trace.membranes[0] == -thresholds).any()


def test_it_is_drawn_and_proven_like_the_others(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    before = all_neurons()
    clipped = request.getfixturevalue("clipped")
    assert all_neurons() == (*before, replace(clipped, depth=1))
    assert prove(Proof("update", lambda: update(clipped), "induction", 6, 10), tmp_path, cover=False).passed
    assert prove(Proof("bounds", lambda: update_bounds(clipped), "induction", 6, 9), tmp_path, cover=False).passed


def test_without_its_file_it_is_refused() -> None:
    with pytest.raises(ValueError) as error:
        neuron_from({"neuron": "clipped", "depth": 2})
    assert str(error.value) == "neuron must be one of lif, not 'clipped'"
    with pytest.raises(ValueError) as error:
        LayerConfig(neurons=6, neuron="clipped")
    assert str(error.value) == "neuron must be one of lif, not 'clipped'"
