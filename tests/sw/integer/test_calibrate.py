import itertools

import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.integer.calibrate import CalibratedRounding, calibrate, choose
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import fold, nearest_integers, nearest_scales, quantize
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork

STEPS = 25


def network(seed=0, reset="hard", tau=1.5, inputs=9, neurons=(16, 14), density=0.7):
    torch.manual_seed(seed)
    layers = (
        LayerConfig(neurons=neurons[0], reset=reset, tau=tau, batch_norm=False, bias=True),
        LayerConfig(neurons=neurons[1], reset=reset, tau=tau, recurrent=True, delay_low=0, delay_high=9),
    )
    net = SpikingNetwork(NetworkConfig(inputs=inputs, classes=4, timesteps=STEPS, layers=layers), density)
    torch.nn.init.normal_(net.layers[0].bias, 0.2, 0.2)
    torch.nn.init.normal_(net.layers[1].norm.running_mean, 0.3, 0.2)
    torch.nn.init.normal_(net.layers[1].norm.bias, 0.6, 0.4)
    with torch.no_grad():
        net.layers[0].weight.abs_()
    torch.nn.init.normal_(net.readout.bias)
    return net.eval()


def recordings(samples=70, inputs=9, seed=1):
    """Counts (samples, T, inputs) of neighbouring channels that have their events together."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.rand(samples, STEPS, 1 + inputs // 3, generator=generator) < 0.3
    own = torch.rand(samples, STEPS, inputs, generator=generator) < 0.8
    return (shared.repeat_interleave(3, dim=2)[:, :, :inputs] & own).to(torch.uint8)


def score_errors(net, spec, counts):
    """Of the scores relative to their mean over the classes, in the float network's units, as a share."""
    expected, found = net.run(counts).scores, IntegerNetwork(spec).run(counts).scores
    expected = expected.detach().double() - expected.detach().double().mean(dim=1, keepdim=True)
    found = found.double() - found.double().mean(dim=1, keepdim=True)
    unit = (found * expected).sum() / found.square().sum()
    return float((found * unit - expected).square().sum() / expected.square().sum())


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize(("bits", "share"), [(3, 0.6), (4, 0.6), (6, 0.8)])
def test_scores_change_less_than_by_rounding_alone(bits, share, reset):
    errors = []
    for seed in range(3):
        net = network(seed, reset)
        unseen = recordings(seed=2)
        spec = calibrate(net, recordings(), weight_bits=bits)
        assert {layer.weight_bits for layer in spec.layers} == {bits}
        errors.append([score_errors(net, s, unseen) for s in (spec, quantize(net, weight_bits=bits))])
    calibrated, rounded = torch.tensor(errors).sum(dim=0).tolist()
    assert calibrated < share * rounded


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_zeros_stay_zero_and_the_rest_is_as_without_calibration(bits):
    net = network()
    before = {name: p.clone() for name, p in net.state_dict().items()}
    spec, plain = calibrate(net, recordings(), weight_bits=bits, value_bits=3), quantize(net, weight_bits=bits)
    for folded, layer, other in zip(fold(net), spec.layers, plain.layers, strict=True):
        weights = torch.tensor(layer.weights)
        assert not weights[folded.weights == 0].any()
        assert weights[folded.weights != 0].any()
        assert layer.decay == other.decay
        assert layer.weight_shift == other.weight_shift
        assert (layer.delays is None) == (other.delays is None)
        assert layer.delays is None or layer.delays.tolist() == other.delays.tolist()
    assert spec.value_bits == 3
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())


def membrane_errors(net, neuron, counts, integers, scale):
    """What calibration makes small, from its definition: of all roundings (Q, axons) of a neuron of the first layer."""
    layer, folded = net.layers[0], fold(net)[0]
    axons = folded.weights[neuron].nonzero().flatten()
    x = counts.double()[:, :, axons]
    u, v = [], torch.zeros(len(counts), dtype=torch.float64)
    for t in range(STEPS):
        u.append(v * layer.neuron.decay + x[:, t] @ folded.weights[neuron, axons] + folded.bias[neuron])
        v = torch.where(u[-1] >= 1.0, 0.0, u[-1])
    importance = 1.0 / (1.0 + ((torch.stack(u, dim=1) - 1.0) / 0.125).square())  # (B, T)
    rest = integers / scale - folded.weights[neuron, axons]  # (Q, axons)
    error, bias = [torch.zeros(len(counts), len(rest), dtype=torch.float64)], [torch.zeros(len(counts)).double()]
    for t in range(STEPS):
        error.append(error[-1] * layer.neuron.decay + x[:, t] @ rest.T)
        bias.append(bias[-1] * layer.neuron.decay + 1.0)
    error, bias = torch.stack(error[1:], dim=1), torch.stack(bias[1:], dim=1)
    # The bias that fits best.
    own = (importance * bias).unsqueeze(2)
    shift = (own * error).sum(dim=(0, 1)) / (own * bias.unsqueeze(2)).sum()
    squares = importance.unsqueeze(2) * (error - shift * bias.unsqueeze(2)).square()
    centred = torch.stack([membrane_variance(x[:, :, i], importance, layer.neuron.decay) for i in range(len(axons))])
    return squares.sum(dim=(0, 1)) + 0.01 * centred.mean() * rest.square().sum(dim=1), -shift


def membrane_variance(x, importance, decay):
    y, b = torch.zeros_like(x), torch.zeros_like(x)
    for t in range(STEPS):
        y[:, t] = x[:, t] + (decay * y[:, t - 1] if t else 0.0)
        b[:, t] = 1.0 + (decay * b[:, t - 1] if t else 0.0)
    y = y - b * (importance * y * b).sum() / (importance * b * b).sum()
    return (importance * y * y).sum()


def test_a_neuron_with_few_axons_gets_the_best_of_all_roundings():
    net = network(3, inputs=3, neurons=(8, 4), density=1.0)
    counts = recordings(inputs=3)
    rounding = CalibratedRounding(net, counts)
    folded = fold(net)[0]
    found = rounding(folded, 3, ())
    every = torch.tensor(list(itertools.product(range(-3, 4), repeat=3)), dtype=torch.float64)
    best = 0
    for neuron in range(8):
        scale = found.scale[neuron]
        integers = torch.cat([found.weights[neuron : neuron + 1], every])
        errors, biases = membrane_errors(net, neuron, counts, integers, scale)
        assert errors[0] <= errors.min() * 1.2
        best += int(errors[0] <= errors.min() * (1 + 1e-4))
        assert float(found.bias[neuron] - folded.bias[neuron]) == pytest.approx(float(biases[0]), abs=1e-4)
        # Not worse than rounding to the nearest, at the scale that is chosen for that.
        plain = nearest_scales(folded, 3)
        rounded = nearest_integers(folded.weights, plain, 3)[neuron : neuron + 1]
        assert errors[0] <= membrane_errors(net, neuron, counts, rounded, plain[neuron])[0] * (1 + 1e-4)
    assert best >= 7


def test_a_layer_makes_good_what_the_layer_before_lost():
    net = network(1)
    counts = recordings()
    exact, lossy = CalibratedRounding(net, counts), CalibratedRounding(net, counts)
    folded = fold(net)
    fine, coarse = quantize(net, weight_bits=16).layers, quantize(net, weight_bits=2).layers
    biases = []
    for rounding, layers in ((exact, fine), (lossy, coarse)):
        rounding(folded[0], 12, ())
        biases.append(rounding(folded[1], 12, layers[:1]).bias)
    assert (biases[0] - folded[1].bias).abs().max() < 0.05
    assert (biases[1] - folded[1].bias).abs().max() > 0.1


def test_same_recordings_same_integers():
    net = network()
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        net.train(state == 2)
        spec = calibrate(net, recordings(), weight_bits=3)
        found.append([(layer.weights.tolist(), layer.bias.tolist()) for layer in spec.layers])
    assert found[0] == found[1]
    assert net.training


def test_silent_recordings_and_neurons_without_weights_are_rounded_to_the_nearest():
    net = network()
    with torch.no_grad():
        net.layers[0].weight[3] = 0.0
    spec = calibrate(net, torch.zeros(2, STEPS, 9, dtype=torch.uint8), weight_bits=8)
    assert spec.layers[0].weights.tolist() == quantize(net, weight_bits=8).layers[0].weights.tolist()
    assert spec.layers[0].bias[3] == quantize(net, weight_bits=8).layers[0].bias[3]


def test_counts_beyond_the_declared_width_count_as_the_largest():
    net = network()
    counts = recordings()
    expected = calibrate(net, counts, weight_bits=4, value_bits=1)
    assert expected.value_bits == 1
    assert calibrate(net, 2 * counts, weight_bits=4, value_bits=1).value_bits == 1


def test_choose():
    counts = torch.arange(20).view(20, 1, 1)
    chosen = choose(counts, 5, seed=1)
    assert chosen.shape == (5, 1, 1)
    assert len(set(chosen.flatten().tolist())) == 5
    assert torch.equal(chosen, choose(counts, 5, seed=1))
    assert not torch.equal(chosen, choose(counts, 5, seed=2))
    assert torch.equal(choose(counts, 30, seed=1), counts)


@pytest.mark.parametrize("shape", [(25, 4, 9), (4, 24, 9), (4, 25, 8), (25, 9)])
def test_counts_of_another_shape(shape):
    with pytest.raises(InputError) as error:
        calibrate(network(), torch.zeros(shape, dtype=torch.uint8))
    assert str(error.value) == f"counts to calibrate on must be (samples, 25 steps, 9 channels), not {shape}"


def test_counts_that_are_none():
    with pytest.raises(InputError, match=r"^counts to calibrate on must be of at least one sample, not 0$"):
        calibrate(network(), torch.zeros((0, 25, 9), dtype=torch.uint8))
    with pytest.raises(InputError, match=r"^counts to calibrate on must be integers, not torch.float32$"):
        calibrate(network(), torch.zeros((2, 25, 9)))
    with pytest.raises(InputError, match=r"^values must be event counts of at least 0, not -3$"):
        calibrate(network(), torch.full((2, 25, 9), -3))
