import dataclasses

import pytest
import torch

from spikewright.contract.decay import nearest_decay
from spikewright.contract.errors import InputError
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import fold, quantize, round_delays, rounded_to_zero
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork


def network(seed=0, readout="sum", **layer):
    """A network with the statistics and gains of a trained one, some of them negative."""
    torch.manual_seed(seed)
    layers = (
        LayerConfig(neurons=12, **layer),
        LayerConfig(neurons=10, recurrent=True, delay_low=0, delay_high=9, **layer),
    )
    net = SpikingNetwork(NetworkConfig(inputs=9, classes=4, timesteps=25, readout=readout, layers=layers), 0.6)
    for one in net.layers:
        if one.norm is not None:
            torch.nn.init.normal_(one.norm.running_mean, 0.3, 0.2)
            torch.nn.init.uniform_(one.norm.running_var, 0.5, 2.0)
            torch.nn.init.normal_(one.norm.weight, 0.8, 0.7)
            torch.nn.init.normal_(one.norm.bias, 0.6, 0.4)
        if one.bias is not None:
            torch.nn.init.normal_(one.bias)
    torch.nn.init.normal_(net.readout.bias)
    return net.eval()


def counts(samples=20):
    return torch.randint(0, 4, (samples, 25, 9), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bits", [7, 8, 12, 16])
@pytest.mark.parametrize("bias", [False, True])
def test_weights_are_within_half_a_step_and_zeros_stay(seed, bits, bias):
    net = network(seed, bias=bias)
    spec = quantize(net, weight_bits=bits)
    for folded, layer in zip(fold(net), spec.layers, strict=True):
        weights = torch.tensor(layer.weights).double()
        peak = folded.weights.abs().amax(dim=1)
        scale = (2 ** (bits - 1) - 1) / (peak if layer.threshold is not None else peak.max().expand(len(peak)))
        assert ((weights / scale[:, None] - folded.weights).abs() <= 0.5000001 / scale[:, None]).all()
        assert not weights[folded.weights == 0].any()
        unit = scale * 2**layer.weight_shift
        assert ((torch.tensor(layer.bias) - folded.bias * unit).abs() <= 0.5000001).all()
        if layer.threshold is not None:
            assert ((torch.tensor(layer.threshold) - unit).abs() <= 0.5000001).all()
            assert layer.threshold.min() >= 1


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("reset", ["hard", "soft", "late", "none"])
def test_sixteen_bits_reproduce_the_float_network(batch_norm, reset):
    net = network(batch_norm=batch_norm, bias=not batch_norm, reset=reset, strict=batch_norm)
    spec = quantize(net, weight_bits=16, weight_shift=8)
    values = counts()
    expected, found = net.run(values), IntegerNetwork(spec).run(values)
    for one, other in zip(expected.spikes, found.spikes, strict=True):
        assert 0.02 < one.mean() < 0.9
        assert (one.bool() == other).float().mean() > 0.995
    assert (expected.classes == found.classes).float().mean() >= 0.95


def test_sixteen_bits_reproduce_synaptic_currents():
    net = network(batch_norm=False, bias=True, reset="soft", tau=4.0, tau_syn=3.0)
    spec = quantize(net, weight_bits=16, weight_shift=8)
    assert [layer.current_decay for layer in spec.layers] == [nearest_decay(3.0)] * 2 + [None]
    values = counts()
    expected, found = net.run(values), IntegerNetwork(spec).run(values)
    for one, other in zip(expected.spikes, found.spikes, strict=True):
        assert 0.02 < one.mean() < 0.9
        assert (one.bool() == other).float().mean() > 0.995


def test_slow_leaks_that_have_to_be_exact_get_more_fractional_bits():
    net = network(tau=10.0, tau_syn=5.0)
    assert [layer.weight_shift for layer in quantize(net).layers] == [2, 2, 2]
    net.config = dataclasses.replace(net.config, leak_tolerance=2.0**-15, readout_tau=20.0)
    # Leaks of 1/10 and 1/5 floor away up to 50 units, of which that of a leak of 1/2 is one.
    assert [layer.weight_shift for layer in quantize(net).layers] == [7, 7, 6]
    assert [layer.weight_shift for layer in quantize(net, weight_bits=16).layers] == [5, 5, 4]
    assert [layer.weight_shift for layer in quantize(net, weight_shift=1).layers] == [1, 1, 1]


def test_delays_are_rounded():
    net = network()
    assert quantize(net).layers[1].delays.tolist() == net.layers[1].delays.detach().round().int().tolist()


def test_spikes_arrive_after_multiples_of_steps():
    net = network(max_delay=11)
    with torch.no_grad():
        net.layers[1].delays.copy_(torch.tensor([0.0, 1.9, 2.1, 2.0, 6.0, 5.9, 9.0, 10.5, 11.0, 3.0]))
    before = net.layers[1].delays.tolist()
    assert quantize(round_delays(net, 4)).layers[1].delays.tolist() == [3, 3, 3, 3, 7, 7, 7, 11, 11, 3]
    assert quantize(round_delays(net, 1)).layers[1].delays.tolist() == quantize(net).layers[1].delays.tolist()
    assert net.layers[1].delays.tolist() == before
    assert quantize(round_delays(net, 5)).layers[1].delays.tolist() == [4, 4, 4, 4, 4, 4, 9, 9, 9, 4]
    assert set(quantize(round_delays(net, 100)).layers[1].delays.tolist()) == {0}
    with pytest.raises(InputError, match="^delay_step must be at least 1, not 0$"):
        round_delays(net, 0)


def test_clipping_makes_narrow_weights_more_exact():
    torch.manual_seed(0)
    net = network(batch_norm=False)
    with torch.no_grad():
        net.layers[0].weight.normal_(0, 0.05)
        net.layers[0].weight[:, 0] = 0.3
    folded = fold(net)[0].weights
    layer = quantize(net, weight_bits=4).layers[0]
    unit = torch.tensor(layer.threshold).double() / 2**layer.weight_shift
    error = (torch.tensor(layer.weights) / unit[:, None] - folded).square().sum(dim=1)
    plain = 7 / folded.abs().amax(dim=1, keepdim=True)
    unclipped = (torch.round(folded * plain) / plain - folded).square().sum(dim=1)
    assert (error <= unclipped * 1.01).all()
    assert error.sum() < unclipped.sum()


def test_weights_that_round_to_zero_are_counted():
    net = network(batch_norm=False)
    with torch.no_grad():
        net.layers[0].weight.fill_(0.0)
        net.layers[0].weight[:, :3] = torch.tensor([1.0, 0.001, -0.002])
    assert rounded_to_zero(net, quantize(net))[0] == 24
    assert rounded_to_zero(net, quantize(net, weight_bits=16))[0] == 0


@pytest.mark.parametrize("value", [0.0, 1e-30])
def test_neurons_without_weights(value):
    net = network(batch_norm=False, bias=True)
    with torch.no_grad():
        net.layers[0].weight[3] = value
        net.layers[1].weight[4] = value
        net.layers[1].recurrent_weight[4] = value
        net.layers[0].bias[3] = 1.5
        net.layers[1].bias[4] = 0.5
        net.readout.weight.zero_()
    spec = quantize(net)
    assert not spec.layers[0].weights[3].any()
    found, expected = IntegerNetwork(spec).run(counts()), net.run(counts())
    assert found.spikes[0][:, :, 3].all()
    assert not found.spikes[1][:, :, 4].any()
    assert torch.equal(found.classes, expected.classes)


def test_weights_below_a_4096th_of_the_threshold_get_no_scale_of_their_own():
    net = network(batch_norm=False)
    threshold = net.layers[0].config.threshold
    with torch.no_grad():
        net.layers[0].weight[3] = threshold / 4000
        net.layers[0].weight[4] = threshold / 5000
        net.layers[0].weight[5] = 0.0
    layer = quantize(net, weight_bits=8, weight_shift=2).layers[0]
    assert layer.weights[3:6].max(axis=1).tolist() == [127, round(127 * 4096 / 5000), 0]
    assert layer.threshold[3:6].tolist() == [127 * 4000 << 2, 127 * 4096 << 2, 127 * 4096 << 2]


def test_counts_beyond_the_declared_width_are_refused():
    spec = quantize(network(), value_bits=2)
    with pytest.raises(InputError) as error:
        IntegerNetwork(spec).run(counts() + 1)
    assert str(error.value) == "input values must be 0 .. 3 (2 bits), not 4"


@pytest.mark.parametrize(
    ("net", "settings", "message"),
    [
        ({}, {"weight_bits": 1}, "weight_bits must be 2 .. 16, not 1"),
        ({}, {"weight_bits": 17}, "weight_bits must be 2 .. 16, not 17"),
        ({}, {"value_bits": 0}, "value_bits must be 1 .. 16, not 0"),
        ({}, {"weight_shift": 17}, "weight_shift must be 0 .. 16, not 17"),
        (
            {"readout": "softmax_sum"},
            {},
            "readout of a network to quantize must be one of sum, max, last, not 'softmax_sum'",
        ),
    ],
)
def test_settings_out_of_range(net, settings, message):
    with pytest.raises(InputError) as error:
        quantize(network(**net), **settings)
    assert str(error.value) == message


@pytest.mark.parametrize("value", [1e13, 1e30])
def test_parameters_beyond_any_integer_network_are_refused(value):
    net = network(bias=True)
    with torch.no_grad():
        net.readout.bias[2] = value
    with pytest.raises(
        InputError, match=r"^layer 2 cannot be quantized: bias must be -\d+ .. \d+, not -?\d+ \(at 2\)$"
    ):
        quantize(net)


def scaled(recurrent, input_scale):
    """A network of graded inputs, its first weights such that it sees the same for every `input_scale`."""
    torch.manual_seed(4)
    layer = LayerConfig(
        neurons=12, recurrent=recurrent, delay_low=0, delay_high=5, tau=2.0, reset="soft", batch_norm=False, bias=True
    )
    config = NetworkConfig(
        inputs=1, classes=3, timesteps=25, input_scale=input_scale, value_bits=8, readout_tau=1.0, layers=(layer,)
    )
    net = SpikingNetwork(config)
    torch.nn.init.normal_(net.layers[0].bias, 0.2, 0.1)
    return net.eval()


@pytest.mark.parametrize("recurrent", [False, True])
def test_input_scale_is_folded_into_the_first_weights(recurrent):
    net = scaled(recurrent, 1 / 255)
    pixels = torch.randint(0, 256, (30, 25, 1), generator=torch.Generator().manual_seed(2))
    # What the network sees is pixel / 255, and so it computes the same as one without a scale on scaled pixels.
    assert torch.equal(net.run(pixels).spikes[0], scaled(recurrent, 1.0).run(pixels * torch.tensor(1 / 255)).spikes[0])
    spec = quantize(net)
    assert spec.value_bits == 8
    # Feed-forward weights share their scale with recurrent ones that are 255 times larger.
    assert [layer.weight_bits for layer in spec.layers] == [16 if recurrent else 8, 8]
    assert fold(net)[0].weights[0, 0] == pytest.approx(float(net.layers[0].weight[0, 0].detach()) / 255)
    found, expected = IntegerNetwork(spec).run(pixels), net.run(pixels)
    assert (found.spikes[0] == expected.spikes[0].bool()).double().mean() > 0.98
    assert IntegerNetwork(quantize(net, weight_bits=4)).spec.layers[0].weight_bits == (12 if recurrent else 4)


def test_value_bits_are_the_configuration_s_unless_given():
    assert quantize(network()).value_bits == 5
    assert quantize(scaled(False, 0.5)).value_bits == 8
    assert quantize(scaled(False, 0.5), value_bits=3).value_bits == 3
