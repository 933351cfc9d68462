import dataclasses

import pytest
import torch

from spikewright.integer.finetune import QuantizedNetwork, fine_tune, fold_network, integer_accuracy
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.learn.config import AugmentConfig, Config, LayerConfig, NetworkConfig, TrainingConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.samples import Samples


def network(tau=1.05, seed=0, input_scale=1.0):
    torch.manual_seed(seed)
    layers = (
        LayerConfig(neurons=12, tau=tau),
        LayerConfig(neurons=10, tau=tau, recurrent=True, delay_low=0, delay_high=9),
    )
    config = NetworkConfig(inputs=9, classes=4, timesteps=25, readout_tau=tau, input_scale=input_scale, layers=layers)
    net = SpikingNetwork(config, 0.6)
    for layer in net.spiking_layers():
        torch.nn.init.normal_(layer.norm.running_mean, 0.3, 0.2)
        torch.nn.init.uniform_(layer.norm.running_var, 0.5, 2.0)
        torch.nn.init.normal_(layer.norm.weight, 0.8, 0.7)
        torch.nn.init.normal_(layer.norm.bias, 0.6, 0.4)
    torch.nn.init.normal_(net.readout.bias)
    return net.eval()


def samples(count=80, seed=1):
    """Each class has its own two channels, which come half of the time."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    counts = torch.randint(0, 4, (count, 25, 9), generator=generator)
    rare = torch.rand(count, 25, 9, generator=generator) < 0.15
    own = torch.zeros(count, 1, 9, dtype=torch.bool)
    own[torch.arange(count), 0, 2 * labels] = own[torch.arange(count), 0, 2 * labels + 1] = True
    often = torch.rand(count, 25, 9, generator=generator) < 0.5
    return Samples((counts * torch.where(own, often, rare)).to(torch.uint8), labels)


def trained():
    net = network()
    data = samples(160)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    net.train()
    for _ in range(40):
        logits = net(data.counts) / 5
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, data.labels).backward()
        optimizer.step()
    for weight in net.weight_matrices().values():
        weight.detach()[weight.abs() < 0.05] = 0.0
    return net.eval()


def training(net, **settings):
    return Config(network=net.config, training=TrainingConfig(batch=16, **settings), augment=AugmentConfig())


@pytest.mark.parametrize("input_scale", [1.0, 0.25])
def test_folding_changes_nothing(input_scale):
    net = network(input_scale=input_scale)
    folded = fold_network(net)
    assert all(layer.norm is None for layer in folded.spiking_layers())
    values = samples().counts
    expected, found = net.run(values), folded.run(values)
    assert all(torch.equal(a, b) for a, b in zip(expected.spikes, found.spikes, strict=True))
    assert all(0.02 < float(s.detach().mean()) < 0.98 for s in found.spikes)
    torch.testing.assert_close(found.scores, expected.scores)


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
@pytest.mark.parametrize("input_scale", [1.0, 0.25])
def test_forward_pass_is_that_of_the_integer_network(bits, input_scale):
    # Without a leak there is no flooring, and the forward pass has nothing that the integers have not.
    net = fold_network(network(tau=1.0, input_scale=input_scale))
    model = QuantizedNetwork(net, bits).eval()
    values = samples().counts
    trace = IntegerNetwork(model.spec()).run(values)
    scores = model(values).detach().double()
    unit = scores.abs().max() / trace.scores.abs().max()
    torch.testing.assert_close(scores, trace.scores * unit, rtol=1e-4, atol=float(unit))
    rounded = quantize(net, weight_bits=bits)
    assert all((a.weights == b.weights).all() for a, b in zip(rounded.layers, model.spec().layers, strict=True))


def test_gradient_passes_rounding_and_stops_at_zeros():
    net = fold_network(network())
    model = QuantizedNetwork(net, 4).train()
    model(samples().counts).square().sum().backward()
    for name, weight in net.weight_matrices().items():
        assert not weight.grad[weight == 0].any(), name
        assert weight.grad[weight != 0].count_nonzero() > 0.5 * (weight != 0).sum(), name
    assert all(delays.grad is None for delays in net.delay_parameters().values())


def test_fine_tuning_recovers_what_rounding_lost():
    net = trained()
    before = {name: p.clone() for name, p in net.state_dict().items()}
    parts = (samples(160), samples(80, seed=2))
    told = []
    spec, accuracies = fine_tune(
        net, training(net, logit_scale=5.0), parts, weight_bits=2, epochs=6, lr=3e-3, report=lambda *x: told.append(x)
    )
    assert told == list(enumerate(accuracies))
    assert len(accuracies) == 7
    assert accuracies[0] == integer_accuracy(quantize(net, weight_bits=2), parts[1])
    assert integer_accuracy(spec, parts[1]) == max(accuracies) > accuracies[0] + 0.05
    for old, new in zip(quantize(net, weight_bits=16).layers, spec.layers, strict=True):
        assert not new.weights[old.weights == 0].any()
        assert new.weight_bits == 2
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())


def test_same_seed_same_integers():
    net = trained()
    parts = (samples(160), samples(80, seed=2))
    settings = training(net, logit_scale=5.0)
    results = []
    for state in (1, 2):
        torch.manual_seed(state)
        tuned = fine_tune(net, settings, parts, weight_bits=2, epochs=3, lr=3e-3)
        results.append((tuned[1], [layer.weights.tolist() for layer in tuned[0].layers]))
    other = dataclasses.replace(settings, training=dataclasses.replace(settings.training, seed=1))
    assert results[0] == results[1]
    tuned = fine_tune(net, other, parts, weight_bits=2, epochs=3, lr=3e-3)
    assert [layer.weights.tolist() for layer in tuned[0].layers] != results[0][1]


def test_no_epochs_are_rounding_alone():
    net = network()
    parts = (samples(16), samples(16, seed=2))
    spec, accuracies = fine_tune(net, training(net), parts, weight_bits=8, epochs=0)
    assert len(accuracies) == 1
    rounded = quantize(net, weight_bits=8)
    assert all((a.weights == b.weights).all() for a, b in zip(spec.layers, rounded.layers, strict=True))
