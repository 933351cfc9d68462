import numpy as np
import pytest
import torch

from spikewright.learn.layers import delay_kernel, neurons, recurrent_neurons, time_linear
from spikewright.learn.neuron import neuron_step, surrogate_gradient
from spikewright.learn.neurons.lif import LIF


class ReferenceSpike(torch.autograd.Function):
    """The spike of a plain formulation, whose gradients autograd derives from the equations."""

    @staticmethod
    def forward(ctx, u, neuron):
        ctx.save_for_backward(u)
        ctx.neuron = neuron
        return (u >= neuron.threshold).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * surrogate_gradient(u, ctx.neuron), None


def reference_layer(current, weight, kernel, neuron, drop=None):
    """The equations, step by step and lag by lag, differentiated by autograd."""
    v, spikes = torch.zeros_like(current[0]), []
    i = v
    for t in range(len(current)):
        drive = current[t]
        if weight is not None:
            delayed = sum(
                (kernel[:, lag - 1, None] * spikes[t - lag] for lag in range(1, min(t, kernel.shape[1]) + 1)),
                torch.zeros_like(drive),
            )
            recurrent = weight @ delayed
            drive = drive + (recurrent if drop is None else recurrent * drop)
        i = drive + i * neuron.current_decay
        u = i + v * neuron.decay
        if neuron.reset == "late" and spikes:
            u = u - neuron.threshold * spikes[-1].detach()
        s = ReferenceSpike.apply(u, neuron)
        kept = {"hard": u * (1 - s.detach()), "soft": u - neuron.threshold * s.detach()}
        v = kept.get(neuron.reset, u)
        spikes.append(s)
    return torch.stack(spikes)


def gradients(function, tensors, seed):
    leaves = [t.clone().requires_grad_() for t in tensors]
    out = function(*leaves)
    goal = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed), dtype=out.dtype)
    return out.detach(), torch.autograd.grad((out * goal).sum(), leaves)


@pytest.mark.parametrize("reset", ["hard", "soft", "late", "none"])
@pytest.mark.parametrize("low, high, sigma", [(0.0, 3.0, 0.0), (0.0, 12.0, 2.5), (9.0, 30.0, 0.4), (0.0, 60.0, 10.0)])
@pytest.mark.parametrize("dropped", [False, True])
def test_recurrence_equals_the_plain_formulation(reset, low, high, sigma, dropped):
    generator = torch.Generator().manual_seed(int(high) + 2 * dropped)
    current = torch.randn(37, 11, 3, generator=generator, dtype=torch.float64) + 0.2
    weight = torch.randn(11, 11, generator=generator, dtype=torch.float64) / 2
    delays = low + (high - low) * torch.rand(11, generator=generator, dtype=torch.float64)
    drop = (torch.rand(11, 3, generator=generator) < 0.7).double() / 0.7 if dropped else None
    neuron = LIF(tau=1.5, reset=reset, tau_syn=3.0 if high == 12 else 1.0)

    def with_kernel(function):
        return lambda i, w, d: function(i, w, delay_kernel(d, 1.0 + sigma, 37), neuron, drop)

    expected, expected_grads = gradients(with_kernel(reference_layer), (current, weight, delays), 7)
    found, found_grads = gradients(with_kernel(recurrent_neurons), (current, weight, delays), 7)
    assert 0.1 < expected.mean().item() < 0.9
    assert torch.equal(found, expected)
    for one, other in zip(found_grads, expected_grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 7, 8, 9])
def test_short_sequences(steps):
    generator = torch.Generator().manual_seed(steps)
    current = torch.randn(steps, 4, 2, generator=generator, dtype=torch.float64) + 1
    weight = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    delays = torch.tensor([0.0, 0.5, 3.0, 20.0], dtype=torch.float64)
    kernel = delay_kernel(delays, 2.0, steps)
    found = recurrent_neurons(current, weight, kernel, LIF())
    assert torch.equal(found, reference_layer(current, weight, kernel, LIF()))


@pytest.mark.parametrize(
    "case", ["shd_like_eval", "ssc_like_eval", "shd_like_sigma3", "ssc_like_sigma2", "ssc_like_spread"]
)
def test_equals_the_reference_traces(shared_dir, case):
    reference = np.load(shared_dir / "reference" / "delay_layer.npz")

    def read(name):
        return torch.tensor(reference[f"{case}.{name}"])

    neuron = LIF(tau=read("tau").item(), reset="soft" if read("v_reset").isnan() else "hard")
    current = read("current").permute(0, 2, 1).contiguous().requires_grad_()
    weight, delays = read("w_rec_post_pre").requires_grad_(), read("delays").requires_grad_()
    sigma = read("sigma").item()
    spread = 1 + 2 * sigma * torch.sigmoid(read("p_spread")) if f"{case}.p_spread" in reference else 1 + sigma
    spikes = recurrent_neurons(current, weight, delay_kernel(delays, spread, 40), neuron)
    (spikes * torch.linspace(0, 1, 40)[:, None, None]).sum().backward()
    assert np.array_equal(spikes.detach().permute(0, 2, 1).numpy(), reference[f"{case}.spikes"])
    for found, name in (
        (current.grad.permute(0, 2, 1), "grad_current"),
        (weight.grad, "grad_w_rec"),
        (delays.grad, "grad_delays"),
    ):
        np.testing.assert_allclose(found.numpy(), reference[f"{case}.{name}"], rtol=1e-5, atol=1e-5)


def test_kernel_of_an_integer_delay_is_one_tap():
    kernel = delay_kernel(torch.tensor([0.0, 2.0]), 1.0, 100)
    assert kernel.tolist() == [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]


def test_kernel_interpolates_a_real_delay():
    assert delay_kernel(torch.tensor([1.25]), 1.0, 100).tolist() == [[0.0, 0.75, 0.25, 0.0]]


def test_kernel_sums_to_one_over_a_whole_triangle():
    kernel = delay_kernel(torch.tensor([12.0]), 4.0, 100)
    assert kernel.sum().item() == pytest.approx(1.0)
    assert kernel.argmax().item() + 1 == 13


def test_kernel_never_reaches_beyond_the_sequence():
    assert delay_kernel(torch.tensor([500.0]), 11.0, 100).shape == (1, 99)


def test_a_delayed_spike_arrives_one_step_after_its_delay():
    current = torch.zeros(12, 2, 1)
    current[2, 0, 0] = 1.0
    weight = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    spikes = recurrent_neurons(current, weight, delay_kernel(torch.tensor([4.0, 0.0]), 1.0, 12), LIF())
    assert torch.nonzero(spikes[:, 0, 0]).flatten().tolist() == [2]
    assert torch.nonzero(spikes[:, 1, 0]).flatten().tolist() == [2 + 1 + 4]


def test_samples_do_not_see_each_other():
    generator = torch.Generator().manual_seed(3)
    current = torch.randn(30, 6, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    kernel = delay_kernel(torch.arange(6, dtype=torch.float64), 1.0, 30)
    together = recurrent_neurons(current, weight, kernel, LIF())
    alone = recurrent_neurons(current[:, :, 2:3].contiguous(), weight, kernel, LIF())
    assert torch.equal(together[:, :, 2:3], alone)


def test_feed_forward_neurons_follow_the_step_function():
    current = torch.randn(25, 4, 3, generator=torch.Generator().manual_seed(0))
    v, neuron = torch.zeros(4, 3), LIF(tau=2.0, reset="soft")
    expected = []
    for drive in current:
        _, s, v = neuron_step(drive, v, neuron)
        expected.append(s)
    assert torch.equal(neurons(current, neuron), torch.stack(expected))


def test_time_linear_multiplies_every_step():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(9, 5, 4, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    expected, expected_grads = gradients(lambda a, w: torch.einsum("ni,tib->tnb", w, a), (x, weight), 2)
    found, found_grads = gradients(time_linear, (x, weight), 2)
    torch.testing.assert_close(found, expected)
    for one, other in zip(found_grads, expected_grads, strict=True):
        torch.testing.assert_close(one, other)
