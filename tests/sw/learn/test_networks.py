import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.sparsity import sparsity


def network(readout="sum", readout_tau=1.05, seed=0, density=1.0, **layer):
    torch.manual_seed(seed)
    config = NetworkConfig(
        inputs=7,
        classes=3,
        timesteps=20,
        readout=readout,
        readout_tau=readout_tau,
        layers=(LayerConfig(neurons=9), LayerConfig(neurons=8, recurrent=True, delay_low=0, delay_high=6, **layer)),
    )
    return SpikingNetwork(config, density)


def counts(samples=5, seed=1):
    return torch.randint(0, 4, (samples, 20, 7), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_shapes_and_names():
    net = network(bias=True)
    assert {name: tuple(p.shape) for name, p in net.weight_matrices().items()} == {
        "layers.0.weight": (9, 7),
        "layers.1.weight": (8, 9),
        "layers.1.recurrent_weight": (8, 8),
        "readout.weight": (3, 8),
    }
    assert list(net.delay_parameters()) == ["layers.1.delays"]
    assert list(network(learned_spread=True).delay_parameters()) == ["layers.1.delays", "layers.1.spread"]
    trace = net.eval().run(counts())
    assert [tuple(s.shape) for s in trace.spikes] == [(5, 20, 9), (5, 20, 8)]
    assert tuple(trace.scores.shape) == (5, 3)


@pytest.mark.parametrize("tau", [1.0, 1.05, 2.0, 20.0])
def test_sum_readout_is_the_sum_of_its_membranes(tau):
    net = network(readout_tau=tau).eval()
    torch.nn.init.normal_(net.readout.bias)
    trace = net.run(counts())
    expected = net.readout.membranes(trace.spikes[-1].permute(1, 2, 0)).sum(dim=0).t()
    torch.testing.assert_close(trace.scores, expected, rtol=1e-4, atol=1e-4)


def test_softmax_sum_readout():
    net = network(readout="softmax_sum").eval()
    trace = net.run(counts())
    torch.testing.assert_close(trace.scores.sum(dim=1), torch.full((5,), 20.0))


@pytest.mark.parametrize("readout", ["sum", "softmax_sum"])
def test_dropout_masks_act_before_the_readout(readout):
    net = network(readout=readout)
    x = (torch.rand(20, 8, 5, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    mask = torch.tensor([0.0, 2.0]).repeat(4).unsqueeze(1).expand(8, 5)
    torch.testing.assert_close(net.readout(x, mask), net.readout(x * mask))


def test_a_sample_does_not_depend_on_its_batch():
    net = network().eval()
    net.layers[0].norm.running_mean.normal_()
    values = counts(9)
    together = net.run(values)
    for sample in range(9):
        alone = net.run(values[sample : sample + 1])
        torch.testing.assert_close(alone.scores[0], together.scores[sample])
        for one, all_ in zip(alone.spikes, together.spikes, strict=True):
            assert torch.equal(one[0], all_[sample])


def test_evaluation_rounds_the_delays():
    net = network().eval()
    values = counts()
    before = net.run(values).scores
    with torch.no_grad():
        net.layers[1].delays.round_()
    assert torch.equal(net.run(values).scores, before)
    with torch.no_grad():
        net.layers[1].delays.add_(1.0)
    assert not torch.equal(net.run(values).scores, before)


def test_sigma_and_dropout_act_in_training_only():
    net = network(dropout=0.5, recurrent_dropout=0.5).eval()
    values = counts()
    before = net.run(values).scores
    net.set_sigma(5.0)
    assert torch.equal(net.run(values).scores, before)
    net.train()
    assert not torch.equal(net.run(values).scores, before)


def test_delays_stay_within_their_limit():
    net = network(max_delay=6)
    with torch.no_grad():
        net.layers[1].delays[:2] = torch.tensor([-3.0, 90.0])
    net.limit_delays()
    assert net.layers[1].delays[:2].tolist() == [0.0, 6.0]


def test_half_normal_delays_are_not_negative():
    net = network(delays="half_normal")
    assert net.layers[1].delays.min() >= 0
    assert net.layers[1].delays.max() > 0


def test_every_parameter_learns():
    net = network(bias=True, learned_spread=True)
    net.set_sigma(2.0)
    net.train()
    net.run(counts()).scores.square().mean().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name
        assert name == "layers.1.bias" or p.grad.abs().max() > 0, name  # a bias before a batch norm does nothing


def test_sparse_start():
    assert sparsity(network(density=0.3).weight_matrices().values()) == pytest.approx(0.7, abs=0.08)


def test_ties_go_to_the_lowest_class():
    net = network().eval()
    torch.nn.init.zeros_(net.readout.weight)
    with torch.no_grad():
        net.readout.bias.copy_(torch.tensor([0.0, 1.0, 1.0]))
    assert net.run(counts()).classes.tolist() == [1] * 5


def test_the_ssc_network_follows_from_a_configuration():
    layer = LayerConfig(
        neurons=10, recurrent=True, tau=2.0, reset="soft", batch_norm=False, bias=True, delays="half_normal",
        delay_high=12.0, learned_spread=True,
    )  # fmt: skip
    torch.manual_seed(0)
    net = SpikingNetwork(NetworkConfig(inputs=7, classes=3, timesteps=20, readout_tau=1.0, layers=(layer,) * 3))
    with torch.no_grad():
        for one in net.layers:
            one.bias.fill_(0.5)
    net.set_sigma(4.0)
    net.train().run(counts()).scores.square().mean().backward()
    for name, p in net.named_parameters():
        assert p.grad.abs().max() > 0, name
    assert net.readout.decay == 0.0


def test_spikes_are_in_the_order_of_the_samples():
    """The public order is a view of what the layers, and the training, compute in theirs."""
    net = network(bias=True)
    values = counts()
    trace = net.run(values)
    spikes, scores = net._run_transposed(values.permute(1, 2, 0).float().contiguous())
    assert torch.equal(trace.scores, scores)
    for one, other in zip(trace.spikes, spikes, strict=True):
        assert torch.equal(one, other.permute(2, 0, 1))


@pytest.mark.parametrize("shape", [(20, 5, 7), (5, 19, 7), (5, 20, 8), (20, 7)])
def test_axes_in_another_order_are_an_error_that_shows_both_shapes(shape):
    with pytest.raises(InputError) as error:
        network()(torch.zeros(shape))
    assert str(error.value) == f"values must be (samples, 20 steps, 7 channels), not {shape}"


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_values_that_are_no_counts_are_refused(value):
    values = counts().float()
    values[2, 3, 4] = value
    with pytest.raises(InputError) as error:
        network().run(values)
    assert str(error.value) == f"values must be event counts of at least 0, not {value:g}"


def test_spikes_take_steps_to_the_next_layer_and_gradients_come_back_from_there():
    late, soon = network(onward=3), network()
    assert late.layers[1].onward.tolist() == [3.0] * 8
    soon.load_state_dict({name: t for name, t in late.state_dict().items() if not name.endswith("onward")})
    steps = torch.arange(8).remainder(4).float()
    late.layers[1].onward.copy_(steps)
    one, other = late.eval().run(counts()), soon.eval().run(counts())
    assert torch.equal(one.spikes[1], other.spikes[1])
    arrived = torch.zeros_like(one.spikes[1])
    for neuron, delay in enumerate(steps.int().tolist()):
        arrived[:, delay:, neuron] = one.spikes[1][:, : 20 - delay, neuron]
    torch.testing.assert_close(one.scores, late.readout(arrived.permute(1, 2, 0)))
    assert not torch.allclose(one.scores, other.scores)
    late.train().run(counts()).scores.sum().backward()
    assert late.layers[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("readout", "of"), [("max", lambda v: v.amax(dim=0)), ("last", lambda v: v[-1])])
def test_decisions_by_a_single_membrane(readout, of):
    net = network(readout=readout)
    trace = net.eval().run(counts())
    assert torch.equal(trace.scores, of(net.readout.membranes(trace.spikes[-1].permute(1, 2, 0))).t())
    assert net.config.summed_steps == 1
