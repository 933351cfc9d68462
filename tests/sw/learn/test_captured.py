import dataclasses

import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.captured import Captured, FixedPasses, captured
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.support.parallel import Processes


def network(delays="uniform"):
    torch.manual_seed(0)
    recurrent = {"recurrent": True, "recurrent_dropout": 0.2, "max_delay": 14, "delays": delays}
    recurrent |= {"delay_low": 0.0 if delays == "uniform" else LayerConfig(neurons=1).delay_low, "delay_high": 6.0}
    layers = (
        LayerConfig(neurons=12, dropout=0.3),
        LayerConfig(neurons=10, dropout=0.2, **recurrent),
        LayerConfig(neurons=9, learned_spread=True, **recurrent),
    )
    made = SpikingNetwork(NetworkConfig(inputs=7, classes=4, timesteps=25, layers=layers)).train()
    made.set_sigma(2.5)
    return made


def values(samples=6):
    return torch.poisson(torch.full((25, 7, samples), 0.7), generator=torch.Generator().manual_seed(1))


def passed(run, net, x):
    """Spikes, scores and all gradients of a loss of both, with one draw of dropout."""
    net.zero_grad()
    torch.manual_seed(2)
    spikes, scores = run(x)
    loss = scores.square().mean() + sum(layer.mean(dim=(0, 2)).square().sum() for layer in spikes)
    loss.backward()
    return spikes, scores, {name: p.grad for name, p in net.named_parameters()}


def check(found, expected):
    for one, other in zip(found[0], expected[0], strict=True):
        assert torch.equal(one, other)
        assert other.mean() > 0.02
    torch.testing.assert_close(found[1], expected[1], rtol=1e-5, atol=1e-5)
    assert found[2].keys() == expected[2].keys()
    for name, grad in expected[2].items():
        assert grad.abs().max() > 0, name
        assert (found[2][name] - grad).abs().max() <= 1e-5 * grad.abs().max(), name


def test_fixed_passes_compute_the_same():
    net, x = network(), values()

    def fixed(x):
        drawn = net.draw(x)
        scores, *spikes = FixedPasses(net, drawn)(x, *(of for both in drawn for of in both if of is not None))
        return spikes, scores

    check(passed(fixed, net, x), passed(net._run_transposed, net, x))
    assert not any(layer.fixed for layer in net.spiking_layers())


def test_fixed_passes_depend_on_no_value():
    """Tensors without values show that: what asks for one fails."""
    net = network().to("meta")
    x = torch.empty(25, 7, 6, device="meta")
    first, second, third = (torch.empty(layer.config.neurons, 6, device="meta") for layer in net.spiking_layers())
    drawn = [(None, first), (second, second), (third, None)]
    scores, *spikes = FixedPasses(net, drawn)(x, *(of for both in drawn for of in both if of is not None))
    (scores.sum() + sum(layer.sum() for layer in spikes)).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
    with pytest.raises((RuntimeError, NotImplementedError)):
        net._run_transposed(x, drawn)


def test_delays_are_given_all_lags_that_they_may_grow_to():
    layer = list(network().spiking_layers())[1]
    layer.fixed = True
    assert layer.kernel(100).shape == (10, 2 + 14 + 3)
    with torch.no_grad():
        layer.delays.fill_(14.0)
    kernel = layer.kernel(100)
    layer.fixed = False
    assert torch.equal(kernel[:, : layer.kernel(100).shape[1]], layer.kernel(100))
    assert not kernel[:, layer.kernel(100).shape[1] :].any()


def test_batches_of_the_first_size_are_captured_once_for_every_sigma(monkeypatch):
    captures = []

    def graphed(module, samples, allow_unused_input):
        assert allow_unused_input
        captures.append([tuple(sample.shape) for sample in samples])
        module(*samples)  # as the capture does, which moves the statistics of batch norms
        return module

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", graphed)
    net, plain = network(), network()
    graphs = Captured(net)
    for samples, sigma in ((6, 2.5), (6, 2.5), (4, 2.5), (6, 1.0), (6, 1.0)):
        x = values(samples)
        net.set_sigma(sigma)
        plain.set_sigma(sigma)
        check(passed(graphs, net, x), passed(plain._run_transposed, plain, x))
    assert captures == [[(25, 7, 6), (12, 6), (10, 6), (10, 6), (9, 6)]] * 2
    for one, other in zip(net.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def test_networks_without_dropout_need_no_factors():
    net = network()
    for layer in net.spiking_layers():
        layer.config = dataclasses.replace(layer.config, dropout=0.0, recurrent_dropout=0.0)
    assert net.draw(values()) == [(None, None)] * 3
    assert network().eval().draw(values()) == [(None, None)] * 3


def test_what_is_no_part_of_a_graph_is_refused():
    assert isinstance(captured(network(), Processes()), Captured)
    sent = NetworkConfig(inputs=7, classes=4, timesteps=25, layers=(LayerConfig(neurons=3, onward=2),))
    for net, group, reason in (
        (network(), Processes(0, 2), "2 processes"),
        (torch.nn.Linear(1, 1), Processes(), "a convolutional network"),
        (SpikingNetwork(sent), Processes(), "spikes that take steps to the next layer"),
    ):
        with pytest.raises(InputError) as error:
            captured(net, group)
        assert str(error.value) == f"device must be cuda for {reason}, not cuda-graph"
