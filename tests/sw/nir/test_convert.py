"""Networks of other libraries in the terms of our own: the same spikes, or a refusal by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nir_files import affine, li, lif, path_of, ports, recurrent, write
from spikewright.contract.decay import nearest_decay
from spikewright.contract.errors import InputError
from spikewright.integer.calibrate import CalibratedRounding
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.nir.convert import as_spiking_network, spiking_layers
from spikewright.nir.load import import_nir
from spikewright.nir.network import ForeignNetwork

T = 40


def made(path: Path, nodes: Any, edges: Any, dialect: str = "snntorch", **settings: str) -> ForeignNetwork:
    return import_nir(write(path / "net.nir", nodes, edges), dialect, settings, timesteps=T)


def counts(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).integers(0, 3, (6, T, *shape)))


@torch.no_grad()
def check(network: ForeignNetwork, x: torch.Tensor) -> None:
    """All spikes, and the decision, of the converted network are those of the foreign one, and there are some."""
    own = as_spiking_network(network).run(x.flatten(2))
    foreign = network.run(x)
    found = {
        name: torch.cat([torch.zeros_like(of[:, :late]), of[:, : T - late]], dim=1)
        for (name, late), of in zip(spiking_layers(network), own.spikes, strict=True)
    }
    for name, expected in foreign.spikes.items():
        assert 0.02 < expected.mean() < 0.98, name
        assert torch.equal(found[name].double(), expected.flatten(2)), name
    torch.testing.assert_close(own.scores.double(), foreign.scores, atol=1e-3, rtol=1e-4)
    assert torch.equal(own.classes, foreign.classes)


@pytest.mark.parametrize(
    "reset", ["zero", "zero_before", "sub", "sub_delayed", "none", "zero_after", "snn_sub_nodelay"]
)
@pytest.mark.parametrize("cmp", [">", ">="])
def test_resets(tmp_path: Path, reset: str, cmp: str) -> None:
    check(made(tmp_path, *recurrent(), reset=reset, cmp=cmp), counts(5))


def test_thresholds_gains_and_leak_potentials_of_single_neurons(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    draw = np.random.default_rng(2)
    for name, low, high in (("v_threshold", 0.5, 2.0), ("r", 5.0, 20.0), ("v_leak", -0.2, 0.3)):
        nodes["lif"][name] = draw.uniform(low, high, 6)
    nodes["li"]["r"] = draw.uniform(5.0, 20.0, 3)
    nodes["li"]["v_leak"] = draw.uniform(-0.1, 0.1, 3)
    check(made(tmp_path, nodes, edges, reset="sub_delayed"), counts(5))
    nodes["lif"]["v_reset"] = nodes["lif"]["v_leak"]
    check(made(tmp_path, nodes, edges, reset="zero", v0="v_reset"), counts(5))


@pytest.mark.parametrize("reset", ["zero", "sub", "sub_delayed"])
@pytest.mark.parametrize("v_min", ["null", "-0.7"])
def test_no_leak_and_a_lowest_membrane(tmp_path: Path, reset: str, v_min: str) -> None:
    nodes, edges = recurrent()
    draw = np.random.default_rng(3)
    nodes["lif"] = {"type": "IF", "r": np.full(6, 1e4), "v_threshold": draw.uniform(1, 3, 6), "v_reset": np.zeros(6)}
    network = made(tmp_path, nodes, edges, reset=reset, **{"lif.v_min": v_min})
    check(network, counts(5))
    layer = as_spiking_network(network).layers[0]
    assert layer.config.tau == float("inf")
    assert tuple(layer.config.own) == (() if v_min == "null" else ("floor",))
    x = counts(5)
    with torch.no_grad():
        trace = IntegerNetwork(quantize(as_spiking_network(network), weight_bits=16)).run(x)
    assert int((trace.spikes[0] != network.run(x).spikes["lif"]).sum()) <= 0.005 * trace.spikes[0].numel()


def test_resets_to_a_potential(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    nodes["lif"]["v_reset"] = np.linspace(-0.5, 0.3, 6)
    check(made(tmp_path, nodes, edges, reset="zero", v0="v_reset"), counts(5))
    # The lowest membrane is above them.
    nodes["lif"]["v_reset"] = np.full(6, -0.3)
    check(made(tmp_path, nodes, edges, reset="zero", **{"lif.v_min": "-0.1", "lif.v0": "-0.1"}), counts(5))


@pytest.mark.parametrize("dialect", ["snntorch", "norse", "rockpool"])
def test_synaptic_currents(tmp_path: Path, dialect: str) -> None:
    nodes, edges = recurrent()
    draw = np.random.default_rng(3)
    constants = {"tau_mem": 1e-3, "tau_syn": 4e-4, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    cuba = {name: np.full(6, value) for name, value in constants.items()}
    nodes["lif"] = {"type": "CubaLIF", **cuba, "w_in": draw.uniform(2.0, 6.0, 6)}
    settings = {"snntorch": {"reset": "sub_delayed"}, "norse": {"dt": "1e-4"}, "rockpool": {"dt": "1e-4"}}[dialect]
    settings |= {"multispike": "false"} if dialect == "rockpool" else {}
    network = made(tmp_path, nodes, edges, dialect, **settings)
    check(network, counts(5))
    own = as_spiking_network(network)
    assert own.config.layers[0].tau_syn == pytest.approx({"rockpool": 1 / (1 - np.exp(-0.25))}.get(dialect, 4.0))
    spec = quantize(own, weight_bits=16)
    assert spec.layers[0].current_decay == nearest_decay(own.config.layers[0].tau_syn, 2.0**-17)
    with torch.no_grad():
        found = IntegerNetwork(spec).run(counts(5))
    expected = network.run(counts(5)).spikes["lif"]
    assert int((found.spikes[0] != expected).sum()) <= 0.005 * int(expected.sum())


@pytest.mark.parametrize("tau_syn", [(4e-4,) * 3, (2e-4, 4e-4, 1e-3), (1e-4,) * 3])
def test_a_constant_drive_behind_currents_and_integrators_with_currents(
    tmp_path: Path, tau_syn: tuple[float, ...]
) -> None:
    nodes, edges = recurrent()
    constants = {"tau_mem": 1e-3, "tau_syn": tau_syn * 2, "r": 10.0, "w_in": 4.0, "v_threshold": 1.0, "v_reset": 0.0}
    nodes["lif"] = {"type": "CubaLIF", **{name: np.resize(value, 6) for name, value in constants.items()}}
    nodes["lif"]["v_leak"] = np.linspace(-0.4, 0.4, 6)
    constants = {"tau_mem": 1e-3, "tau_syn": tau_syn, "r": 10.0, "w_in": 4.0, "v_leak": (0.3, 0.0, -0.2)}
    nodes["li"] = {"type": "CubaLI", **{name: np.resize(value, 3) for name, value in constants.items()}}
    network = made(tmp_path, nodes, edges, reset="sub", v0="0.1", **{"li.v_min": "-2.5"})
    x = counts(5)
    check(network, x)
    trace, own = network.run(x), as_spiking_network(network)
    assert trace.membranes["li"].min() == -2.5
    with torch.no_grad():
        found = IntegerNetwork(quantize(own, weight_bits=16)).run(x)
    assert int((found.spikes[0] != trace.spikes["lif"]).sum()) <= 0.005 * found.spikes[0].numel()
    unit = (found.membranes[-1] * trace.membranes["li"]).sum() / trace.membranes["li"].square().sum()
    assert (found.membranes[-1] / unit - trace.membranes["li"]).abs().max() < 0.05
    assert torch.equal(found.classes, trace.classes)
    calibrated = quantize(own, weight_bits=8, rounding=CalibratedRounding(own, x))
    assert (IntegerNetwork(calibrated).run(x).classes == trace.classes).double().mean() > 0.8


def test_a_lowest_membrane_of_the_read_out_above_0_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^node 'li': v_min must be at most 0 to be computed in integers, not 0.5"):
        as_spiking_network(made(tmp_path, *recurrent(), reset="sub", **{"li.v_min": "0.5"}))


@pytest.mark.parametrize("reset", ["zero", "sub", "sub_delayed", "zero_after", "snn_sub_nodelay"])
def test_leaks_and_starts_of_single_neurons(tmp_path: Path, reset: str) -> None:
    nodes, edges = recurrent()
    draw = np.random.default_rng(2)
    nodes["lif"]["tau"] = np.linspace(1e-4, 2e-3, 6)
    nodes["lif"]["v_leak"] = draw.uniform(-0.5, 0.5, 6)
    nodes["lif"]["v_reset"] = draw.uniform(-0.5, 0.1, 6)
    nodes["li"] |= {"tau": np.linspace(2e-4, 2e-3, 3), "v_leak": np.array([0.1, -0.2, 0.3])}
    network = made(tmp_path, nodes, edges, reset=reset, v0="v_leak")
    check(network, counts(5))
    own = as_spiking_network(network)
    assert own.config.layers[0].own == ("leak", "start")
    assert own.config.readout_own == ("leak", "start")
    x = counts(5)
    with torch.no_grad():
        spec = quantize(own, weight_bits=16)
        found = IntegerNetwork(spec).run(x)
    assert spec.layers[0].decay.multiplier == 1 << spec.layers[0].decay.shift
    assert int((found.spikes[0] != network.run(x).spikes["lif"]).sum()) <= 0.005 * found.spikes[0].numel()
    assert torch.equal(found.classes, network.run(x).classes)


@pytest.mark.parametrize(("most", "reset"), [("null", "sub"), ("3", "sub"), ("3", "zero"), ("null", "zero_before")])
def test_several_spikes_in_a_step(tmp_path: Path, most: str, reset: str) -> None:
    draw = np.random.default_rng(1)
    nodes = {**ports((5,), (3,)), "a": affine(draw.normal(size=(4, 5)) * 1.5 + 0.3), "n": lif(4)}
    nodes |= {"b": affine(draw.normal(size=(3, 4))), "m": lif(3)}
    nodes["n"]["v_threshold"] = np.array([0.3, 0.7, 1.0, 0.4])
    settings = {"reset": reset, "cmp": ">=", "multispike": "true", "max_spikes": most}
    network = made(tmp_path, nodes, path_of("input", "a", "n", "b", "m", "output"), **settings)
    x = counts(5)
    own, foreign = as_spiking_network(network), network.run(x)
    assert foreign.spikes["n"].max() > 3 if most == "null" else foreign.spikes["n"].max() == 3
    spec = quantize(own, weight_bits=16)
    with torch.no_grad():
        for trace in (own.run(x), IntegerNetwork(spec).run(x)):
            for found, expected in zip(trace.spikes, foreign.spikes.values(), strict=True):
                assert expected.mean() > 0.1
                assert int((found != expected).sum()) <= 0.005 * expected.numel()
            assert torch.equal(trace.classes, foreign.classes)
    # As many as an input may carry, unless the threshold does not fit so often into the highest membrane.
    if most == "3" or reset == "sub":
        assert [layer.neuron.most for layer in spec.layers[:2]] == [255 if most == "null" else 3] * 2
        assert [layer.value_bits for layer in spec.layers] == [8, *([8, 8] if most == "null" else [2, 2])]
    narrow = quantize(own, weight_bits=8, value_bits=2)
    assert [layer.neuron.most for layer in narrow.layers[:2]] == [3, 3]
    for layer in (*spec.layers[:2], *narrow.layers[:2]):
        assert not (layer.threshold & (layer.threshold - 1)).any()


def by_hand(nodes: Any, x: np.ndarray[Any, Any], kind: str, delays: list[int]) -> tuple[Any, Any]:
    """Spikes (T, B, 6) and membranes of the integrators of `recurrent()`, as sinabs or Rockpool would run it."""
    dt, tau = 1e-4, 1e-3
    leak = np.exp(-dt / tau)
    weight, back = (nodes[name]["weight"].astype(np.float64) for name in ("fc", "w_rec"))
    bias = nodes["fc"]["bias"].astype(np.float64) + nodes["w_rec"]["bias"].astype(np.float64)
    v, current, left = np.zeros((x.shape[1], 6)), np.zeros((x.shape[1], 6)), np.zeros((x.shape[1], 3))
    spikes, lefts = np.zeros((len(x), x.shape[1], 6)), []
    for t in range(len(x)):
        late = [spikes[t - 1 - d, :, j] if t > d else np.zeros(x.shape[1]) for j, d in enumerate(delays)]
        drive = x[t] @ weight.T + np.stack(late, axis=1) @ back.T + bias
        if kind == "rockpool":
            drive = current = np.exp(-dt / 2e-4) * (current + drive)
        v = leak * v + drive
        spikes[t] = np.maximum(np.floor(v), 0)
        v = v - spikes[t]
        left = leak * left + spikes[t] @ nodes["out"]["weight"].T
        lefts.append(left)
    return spikes, np.stack(lefts)


@pytest.mark.parametrize("kind", ["sinabs", "rockpool"])
@pytest.mark.parametrize("delays", [[0] * 6, [3, 0, 1, 5, 0, 2]])
@torch.no_grad()
def test_several_spikes_in_a_step_come_back(tmp_path: Path, kind: str, delays: list[int]) -> None:
    nodes, edges = recurrent(4)
    nodes["w_rec"]["weight"] = np.minimum(nodes["w_rec"]["weight"], 0.25)
    settings = {"decay": "exp", "gain": "one", "gain_syn": "one", "reset": "sub", "cmp": ">=", "multispike": "true"}
    if kind == "rockpool":
        of_membrane = nodes["lif"].pop("tau")
        nodes["lif"] |= {"type": "CubaLIF", "tau_mem": of_membrane, "tau_syn": np.full(6, 2e-4), "w_in": np.ones(6)}
        settings["rockpool_syn"] = "true"
    if any(delays):
        nodes["d"] = delay(*delays)
        edges = [edge for edge in edges if edge != ("lif", "w_rec")] + path_of("lif", "d", "w_rec")
    network = made(tmp_path, nodes, edges, latency="2", **settings)
    x = counts(5)
    spikes, lefts = by_hand(nodes, x.double().numpy().swapaxes(0, 1), kind, delays)
    # Spikes that are seen two steps late, by the integrators alone: a loop takes a step.
    late = np.concatenate([np.zeros((2, *lefts.shape[1:])), lefts[:-2]])
    foreign = network.run(x)
    seen = foreign.spikes["lif"].double().numpy().swapaxes(0, 1)
    assert spikes.max() > 3
    assert (np.diff(spikes, axis=0) != 0).mean() > 0.1
    np.testing.assert_array_equal(seen[2:], spikes[:-2])
    np.testing.assert_allclose(foreign.membranes["li"].numpy().swapaxes(0, 1), late, atol=1e-3)
    own = as_spiking_network(network)
    np.testing.assert_array_equal(own.run(x).spikes[0].numpy().swapaxes(0, 1), spikes)
    spec = quantize(own, weight_bits=16)
    assert spec.layers[0].recurrent
    assert spec.layers[0].onward is not None
    assert spec.layers[0].count_bits > 2
    found = IntegerNetwork(spec).run(x)
    assert (found.spikes[0].numpy().swapaxes(0, 1) != spikes).mean() <= 0.005
    assert torch.equal(found.classes, foreign.classes)


def test_currents_that_leak_by_single_neurons(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    of_membrane = nodes["lif"].pop("tau")
    nodes["lif"] |= {"type": "CubaLIF", "tau_mem": of_membrane, "tau_syn": np.linspace(2e-4, 8e-4, 6)}
    nodes["lif"]["w_in"] = nodes["lif"]["tau_syn"] / 1e-4
    network = made(tmp_path, nodes, edges, reset="sub_delayed")
    check(network, counts(5))
    own = as_spiking_network(network)
    assert own.config.layers[0].own == ("current_leak",)
    x = counts(5)
    with torch.no_grad():
        found = IntegerNetwork(quantize(own, weight_bits=16)).run(x)
    assert int((found.spikes[0] != network.run(x).spikes["lif"]).sum()) <= 0.005 * found.spikes[0].numel()


def test_a_threshold_that_is_only_reached_is_not_exceeded(tmp_path: Path) -> None:
    nodes = {**ports((2,), (2,)), "w": affine(np.eye(2)), "n": lif(2, tau=2e-4, r=2.0)}
    edges = path_of("input", "w", "n", "output")
    x = torch.zeros(1, T, 2)
    x[0, 3] = 1.0
    for cmp, spikes in ((">", 0), (">=", 2)):
        network = made(tmp_path, nodes, edges, reset="zero", cmp=cmp)
        assert int(as_spiking_network(network).run(x).spikes[0].sum()) == spikes == int(network.run(x).scores.sum())


def test_delays_of_a_loop(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    nodes["d"] = {"type": "Delay", "delay": np.arange(6) * 1e-4}
    edges = [edge for edge in edges if edge != ("lif", "w_rec")] + path_of("lif", "d", "w_rec")
    for reset in ("sub", "sub_delayed", "none"):
        check(made(tmp_path, nodes, edges, reset=reset), counts(5))


def delay(*steps: int) -> dict[str, Any]:
    return {"type": "Delay", "delay": np.array(steps) * 1e-4}


@pytest.mark.parametrize("latency", [0, 1, 3])
def test_delays_of_axons_and_spikes_that_are_seen_later(tmp_path: Path, latency: int) -> None:
    nodes, edges = recurrent()
    nodes |= {"d0": delay(0, 3, 1, 1, 9), "d1": delay(2, 0, 0, 5, 1, 0)}
    gone = {("input", "fc"), ("lif", "out")}
    edges = [edge for edge in edges if edge not in gone] + path_of("input", "d0", "fc") + path_of("lif", "d1", "out")
    network = made(tmp_path, nodes, edges, reset="sub", latency=str(latency))
    x = counts(5)
    x[:, ::2] = 0
    check(network, x)
    own = as_spiking_network(network)
    assert spiking_layers(network) == [("d0", 0), ("lif", latency)]
    assert own.config.value_bits == 1
    spec = quantize(own, weight_bits=16)
    assert [None if layer.onward is None else layer.onward.tolist() for layer in spec.layers] == [
        [0, 3, 1, 1, 9], [2 + latency, latency, latency, 5 + latency, 1 + latency, latency], None,
    ]  # fmt: skip
    assert [layer.count_bits for layer in spec.layers] == [1, 1, 1]
    wide = quantize(own, weight_bits=16, value_bits=2)
    assert [layer.count_bits for layer in wide.layers] == [2, 1, 1]
    for of, values in ((spec, x.clamp(max=1)), (wide, x)):
        for found, same in zip(IntegerNetwork(of).run(values).spikes, own.run(values).spikes, strict=True):
            assert (found == same).double().mean() > 0.995


def test_a_delay_behind_weights_is_one_before_them_if_it_is_the_same_for_all(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    nodes |= {"fc": {"type": "Linear", "weight": nodes["fc"]["weight"]}, "d": delay(*[2] * 6), "e": delay(*[3] * 3)}
    edges = [edge for edge in edges if edge not in {("fc", "lif"), ("out", "li")}]
    edges += path_of("fc", "d", "lif") + path_of("out", "e", "li")
    network = made(tmp_path, nodes, edges, reset="sub")
    check(network, counts(5).clamp(max=1))
    assert as_spiking_network(network).layers[1].onward.tolist() == [3] * 6
    nodes["e"] = delay(1, 2, 3)
    with pytest.raises(InputError, match="node 'e': delay must be before weights and biases, or the same "):
        as_spiking_network(made(tmp_path, nodes, edges, reset="sub"))


def test_delays_are_moved_before_what_does_not_mix_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    image = {name: value if name == "type" else np.full((2, 4, 4), value[0]) for name, value in lif(1).items()}
    nodes = {
        **ports((2, 4, 4), (3,)),
        "n": image,
        "s": {"type": "Scale", "scale": draw.uniform(1, 2, (2, 4, 4))},
        "d": {"type": "Delay", "delay": draw.integers(0, 3, (2, 4, 4)) * 1e-4},
        "p": {"type": "AvgPool2d", "kernel_size": 2, "stride": 2, "padding": 0},
        "e": {"type": "Delay", "delay": draw.integers(0, 3, (2, 2, 2)) * 1e-4},
        "f": {"type": "Flatten", "start_dim": 0, "end_dim": -1},
        "w": affine(draw.normal(size=(3, 8))),
        "m": lif(3),
    }
    edges = path_of("input", "n", "s", "d", "p", "e", "f", "w", "m", "output")
    network = made(tmp_path, nodes, edges, reset="sub")
    check(network, counts(2, 4, 4))
    total = nodes["d"]["delay"] + nodes["e"]["delay"].repeat(2, axis=1).repeat(2, axis=2)
    assert as_spiking_network(network).layers[0].onward.tolist() == (total * 1e4).round().ravel().tolist()
    nodes["p"] |= {"kernel_size": 2, "stride": 1, "padding": 0}
    nodes |= {"e": {"type": "Delay", "delay": np.arange(18).reshape(2, 3, 3) * 1e-4}, "w": affine(np.ones((3, 18)))}
    with pytest.raises(InputError, match="node 'e': delay must be before weights and biases, or the same for all that"):
        as_spiking_network(made(tmp_path, nodes, edges, reset="sub"))


def test_a_bias_that_a_delay_delays_is_left_to_the_float_network(tmp_path: Path) -> None:
    nodes = {**ports((2,), (2,)), "w": affine(np.eye(2), np.array([2.0, 0.0])), "d": delay(1, 1), "n": lif(2)}
    network = made(tmp_path, nodes, path_of("input", "w", "d", "n", "output"), reset="sub")
    assert network.run(torch.zeros(1, T, 2)).spikes["n"][0, :2].tolist() == [[0, 0], [1, 0]]
    with pytest.raises(InputError, match="node 'd': delay must be before weights and biases, or the same for all that"):
        as_spiking_network(network)


def test_a_last_layer_that_is_seen_later_loses_its_last_spikes(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    nodes = {**ports((5,), (3,)), "a": affine(draw.normal(size=(3, 5))), "n": lif(3)}
    edges = path_of("input", "a", "n", "output")
    late = made(tmp_path, nodes, edges, reset="sub_delayed", latency="4")
    check(late, counts(5))
    assert not torch.equal(late.run(counts(5)).scores, made(tmp_path, nodes, edges, reset="sub").run(counts(5)).scores)


def test_delays_behind_the_weights_are_refused_and_none_are_nothing(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    edges = [edge for edge in edges if edge != ("fc", "lif")] + path_of("fc", "d", "lif")
    nodes["fc"] = {"type": "Linear", "weight": nodes["fc"]["weight"]}
    check(made(tmp_path, {**nodes, "d": delay(0, 0, 0, 0, 0, 0)}, edges, reset="sub"), counts(5))
    with pytest.raises(InputError, match="node 'd': delay must be before weights and biases, or the same "):
        as_spiking_network(made(tmp_path, {**nodes, "d": delay(0, 0, 1, 0, 0, 0)}, edges, reset="sub"))


def test_a_single_neuron_may_be_the_last(tmp_path: Path) -> None:
    nodes = {**ports((2,), (1,)), "a": affine(np.array([[0.6, 0.3]])), "n": lif(1)}
    check(made(tmp_path, nodes, path_of("input", "a", "n", "output"), reset="sub"), counts(2))


def test_spikes_of_the_last_layer_are_counted(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    nodes = {**ports((5,), (3,)), "a": affine(draw.normal(size=(4, 5))), "n": lif(4)}
    nodes |= {"b": affine(draw.normal(size=(3, 4)) * 2), "m": lif(3)}
    check(made(tmp_path, nodes, path_of("input", "a", "n", "b", "m", "output"), reset="sub_delayed"), counts(5))


def test_images_are_unrolled(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    neurons = {name: value if name == "type" else np.full((3, 4, 4), value[0]) for name, value in lif(1).items()}
    convolution = {"type": "Conv2d", "weight": draw.normal(size=(3, 2, 3, 3)), "bias": draw.normal(size=3)}
    nodes = {
        **ports((2, 4, 4), (3,)),
        "c": {**convolution, "stride": 1, "padding": 1, "dilation": 1, "groups": 1},
        "n": neurons,
        "p": {"type": "AvgPool2d", "kernel_size": 2, "stride": 2, "padding": 0},
        "f": {"type": "Flatten", "start_dim": 0, "end_dim": -1},
        "w": affine(draw.normal(size=(3, 12))),
        "li": li(3),
    }
    edges = path_of("input", "c", "n", "p", "f", "w", "li", "output")
    network = made(tmp_path, nodes, edges, "spikingjelly", v0="0")
    check(network, counts(2, 4, 4))
    weights = as_spiking_network(network).weight_matrices()
    assert [tuple(weight.shape) for weight in weights.values()] == [(48, 32), (3, 48)]
    assert int((weights["readout.weight"] != 0).sum()) == 3 * 48
    assert int((weights["layers.0.weight"] != 0).sum()) == 3 * 2 * 10 * 10  # kernels at the edge reach over it


def test_channels_may_be_last_behind_flatten(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    image = {name: value if name == "type" else np.full((3, 2, 2), value[0]) for name, value in lif(1).items()}
    nodes = {
        **ports((3, 2, 2), (4,)),
        "n": image,
        "f": {"type": "Flatten", "start_dim": 0, "end_dim": -1},
        "w": affine(draw.normal(size=(4, 12))),
        "m": lif(4),
    }
    edges = path_of("input", "n", "f", "w", "m", "output")
    turned = made(tmp_path, nodes, edges, reset="sub", flatten="channels_last")
    check(turned, counts(3, 2, 2))
    assert turned.assumed[0] == "node 'f': what follows takes channels last, by the dialect"
    nodes["w"] = affine(nodes["w"]["weight"].reshape(4, 2, 2, 3).transpose(0, 3, 1, 2).reshape(4, 12))
    same = made(tmp_path, nodes, edges, reset="sub")
    x = counts(3, 2, 2)
    assert torch.equal(turned.run(x).spikes["m"], same.run(x).spikes["m"])
    late = {**nodes, "d": delay(*range(12))}
    edges = path_of("input", "n", "f", "d", "w", "m", "output")
    turned = made(tmp_path, late, edges, reset="sub", flatten="channels_last")
    check(turned, x)
    assert as_spiking_network(turned).layers[0].onward.tolist() == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]


@pytest.mark.parametrize("latency", ["0", "2"])
def test_integrators_that_are_compared_are_neurons_without_a_reset(tmp_path: Path, latency: str) -> None:
    draw = np.random.default_rng(1)
    nodes = {
        **ports((5,), (3,)),
        "a": affine(draw.normal(size=(4, 5))),
        "n": {**li(4), "v_leak": np.linspace(-0.2, 0.2, 4)},
        "t": {"type": "Threshold", "threshold": np.linspace(0.5, 1.5, 4)},
        "b": affine(draw.normal(size=(3, 4))),
        "m": li(3),
        "u": {"type": "Threshold", "threshold": np.ones(3)},
    }
    edges = path_of("input", "a", "n", "t", "b", "m", "u", "output")
    network = made(tmp_path, nodes, edges, "norse", **{"dt": "1e-4", "t.latency": latency})
    assert spiking_layers(network) == [("t", int(latency)), ("u", 0)]
    check(network, counts(5))


@pytest.mark.parametrize("thresholds", [(0.5, 1.5), (-1.0, 1.0)])
@pytest.mark.parametrize("loop", [False, True])
def test_neurons_that_only_compare(tmp_path: Path, thresholds: tuple[float, float], loop: bool) -> None:
    nodes, edges = recurrent()
    nodes["lif"] = {"type": "Threshold", "threshold": np.linspace(*thresholds, 6)}
    if not loop:
        del nodes["w_rec"]
        edges = [edge for edge in edges if "w_rec" not in edge]
    check(made(tmp_path, nodes, edges), counts(5))


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "multispike zero": (
        {"reset": "zero", "multispike": "true"},
        "multispike must be false but with reset sub or zero and cmp >=",
    ),
    "v_min": ({"reset": "sub", "v_min": "0.5"}, "v_min must be at most 0 where spikes take the threshold away"),
    "v_min too high": ({"reset": "zero", "v_min": "1.5"}, "v_min must be below the threshold"),
    "start": ({"reset": "sub", "v0": "1.5"}, "start must be below the threshold"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_hardware_does_not_compute_is_refused_by_name(tmp_path: Path, name: str) -> None:
    settings, message = REFUSED[name]
    with pytest.raises(InputError, match=f"^node 'lif': {message} to be computed in integers, not .*: the float"):
        as_spiking_network(made(tmp_path, *recurrent(), **settings))


def test_leaks_and_shapes_that_hardware_does_not_have_are_refused(tmp_path: Path) -> None:
    network = import_nir(write(tmp_path / "net.nir", *recurrent()), "snntorch", {"reset": "sub"})
    with pytest.raises(InputError, match="timesteps must be given to `spikewright import`, by --timesteps"):
        as_spiking_network(network)
    nodes, edges = recurrent()
    fires = {**nodes, "li": lif(3)}
    last = import_nir(write(tmp_path / "net.nir", fires, edges), "snntorch", {"reset": "sub"}, decision="last")
    with pytest.raises(InputError, match="node 'li': decision must be count where the last layer fires"):
        as_spiking_network(last, timesteps=T)


def test_spikes_are_counted_from_zero_alone(tmp_path: Path) -> None:
    nodes = {**ports((5,), (3,)), "a": affine(np.ones((3, 5))), "n": {**lif(3), "v_reset": np.full(3, 0.2)}}
    settings = {"reset": "zero", "cmp": ">=", "multispike": "true"}
    network = made(tmp_path, nodes, path_of("input", "a", "n", "output"), **settings)
    with pytest.raises(InputError, match="node 'n': v_reset must be 0 with multispike .*, not 0.2: the float"):
        as_spiking_network(network)


@pytest.mark.parametrize("decision", ["max", "last"])
def test_decisions_by_a_single_membrane(tmp_path: Path, decision: str) -> None:
    path = write(tmp_path / "net.nir", *recurrent())
    network = import_nir(path, "snntorch", {"reset": "sub"}, timesteps=T, decision=decision)
    check(network, counts(5))
    spec = quantize(as_spiking_network(network), weight_bits=16)
    assert spec.readout == decision
    assert torch.equal(IntegerNetwork(spec).run(counts(5)).classes, network.run(counts(5)).classes)


def test_sixteen_bits_lose_no_spike(tmp_path: Path) -> None:
    network = made(tmp_path, *recurrent(), reset="sub_delayed")
    x = counts(5)
    with torch.no_grad():
        found = IntegerNetwork(quantize(as_spiking_network(network), weight_bits=16)).run(x)
    expected = network.run(x)
    assert int((found.spikes[0] != expected.spikes["lif"]).sum()) == 0
    assert torch.equal(found.classes, expected.classes)


@pytest.mark.parametrize(("node", "field", "value"), [("lif", "weight", 1e10), ("li", "bias", 1e29)])
def test_what_single_precision_does_not_hold_is_refused(tmp_path: Path, node: str, field: str, value: float) -> None:
    nodes, edges = recurrent()
    nodes["fc"]["weight"] = nodes["fc"]["weight"] * value
    nodes["lif"]["v_threshold"] = np.full(6, 1e-29)
    nodes["li"]["v_leak"] = np.full(3, value * 10)
    nodes["li"]["r"] = np.full(3, 1e20 if node == "li" else 1.0)
    nodes["out"] = affine(np.ones((3, 6)), np.full(3, value))
    nodes["fc"]["weight"] /= 1.0 if node == "lif" else value
    with pytest.raises(InputError, match=f"^node '{node}': {field} in thresholds must be below 3.4e38, not "):
        as_spiking_network(made(tmp_path, nodes, edges, reset="sub"))


def test_a_sample_may_be_a_single_step(tmp_path: Path) -> None:
    network = import_nir(write(tmp_path / "net.nir", *recurrent()), "snntorch", {"reset": "zero"}, timesteps=1)
    x = counts(5)[:, :1]
    own = as_spiking_network(network)
    spikes = IntegerNetwork(quantize(own, weight_bits=16)).run(x).spikes[0]
    assert spikes.any()
    assert torch.equal(spikes.double(), network.run(x).spikes["lif"])


def test_a_leak_that_is_next_to_none_leaves_room_for_membranes(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    nodes = {**ports((40,), (10,)), "w": affine(draw.normal(size=(10, 40)) * 0.2), "n": lif(10, 10.0, 1e5)}
    network = made(tmp_path, nodes, path_of("input", "w", "n", "output"), reset="sub")
    spec = quantize(as_spiking_network(network), weight_bits=16)
    assert 0 < spec.layers[0].weight_shift < 16
    x = counts(40)
    found = IntegerNetwork(spec).run(x).spikes[0].double()
    assert (found != network.run(x).spikes["n"]).double().mean() < 0.005
