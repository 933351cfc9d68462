import numpy as np
import pytest
import torch

from spikewright.learn.layers import neurons
from spikewright.learn.neuron import neuron_step, surrogate_gradient
from spikewright.learn.neurons.lif import LIF


def test_hard_reset_forgets_and_soft_reset_subtracts():
    current, v = torch.tensor([1.5, 0.4]), torch.tensor([0.5, 0.5])
    u, s, hard = neuron_step(current, v, LIF(tau=2.0, reset="hard"))
    assert u.tolist() == pytest.approx([1.75, 0.65])
    assert s.tolist() == [1.0, 0.0]
    assert hard.tolist() == pytest.approx([0.0, 0.65])
    _, _, soft = neuron_step(current, v, LIF(tau=2.0, reset="soft"))
    assert soft.tolist() == pytest.approx([0.75, 0.65])


def test_late_reset_subtracts_in_the_next_step_and_no_reset_never():
    current, before = torch.tensor([1.5, 0.4]), torch.tensor([0.5, 0.5])
    for reset, taken in (("late", 1.0), ("none", 0.0)):
        neuron = LIF(tau=2.0, reset=reset)
        u, s, v = neuron_step(current, before, neuron)
        assert s.tolist() == [1.0, 0.0]
        assert v.tolist() == u.tolist()
        after, _, _ = neuron_step(torch.zeros(2), v, neuron, s)
        assert after.tolist() == pytest.approx([1.75 / 2 - taken, 0.325])


def test_dead_step_ends_at_zero_and_takes_nothing():
    neuron = LIF(tau=2.0, reset="dead")
    _, s, v = neuron_step(torch.tensor([1.5, 0.4]), torch.tensor([0.5, 0.5]), neuron)
    assert v.tolist() == pytest.approx([0.0, 0.65])
    u, s, v = neuron_step(torch.tensor([5.0, 0.1]), v, neuron, s)
    assert (u.tolist(), s.tolist()) == (pytest.approx([0.0, 0.425]), [0.0, 0.0])
    current = torch.tensor([1.5, 5.0, 0.4, 0.5]).reshape(4, 1, 1).requires_grad_()
    (neurons(current, neuron) * torch.arange(1, 5).reshape(4, 1, 1)).sum().backward()
    assert (current.grad.flatten() != 0).tolist() == [True, False, True, True]


def test_reset_of_twice_the_threshold_lends_it_to_what_is_still_above():
    neuron = LIF(tau=2.0, reset="twice")
    _, s, v = neuron_step(torch.tensor([2.5, 2.5, 1.5]), torch.zeros(3), neuron)
    assert (s.tolist(), v.tolist()) == ([1.0] * 3, [1.5, 1.5, 0.5])
    u, s, v = neuron_step(torch.tensor([1.0, 1.25, 0.8]), v, neuron, s)
    assert u.tolist() == pytest.approx([0.75, 1.0, 1.05])
    assert s.tolist() == [0.0, 1.0, 1.0]
    assert v.tolist() == pytest.approx([1.75, 1.0, 0.05])


def test_spike_at_exactly_the_threshold():
    for strict in (False, True):
        _, s, _ = neuron_step(torch.tensor([1.0, 1.0001]), torch.zeros(2), LIF(strict=strict))
        assert s.tolist() == [float(not strict), 1.0]


def test_surrogates_at_and_beside_the_threshold():
    u = torch.tensor([1.0, 1.5, 3.0])
    atan = surrogate_gradient(u, LIF(alpha=5.0))
    assert atan.tolist() == pytest.approx([2.5, 2.5 / (1 + (np.pi / 2 * 2.5) ** 2), 2.5 / (1 + (np.pi * 5) ** 2)])
    assert surrogate_gradient(u, LIF(surrogate="triangle")).tolist() == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize("case", ["lif_hard", "lif_soft"])
def test_equals_the_reference_neuron(shared_dir, case):
    reference = np.load(shared_dir / "reference" / "delay_layer.npz")
    neuron = LIF(
        tau=float(reference[f"{case}.tau"])
        if f"{case}.tau" in reference
        else {"lif_hard": 1.05, "lif_soft": 2.0}[case],
        reset=case.removeprefix("lif_"),
    )
    current = torch.tensor(reference[f"{case}.current"]).permute(0, 2, 1).contiguous().requires_grad_()
    spikes = neurons(current, neuron)
    (spikes * torch.linspace(0, 1, len(spikes))[:, None, None]).sum().backward()
    assert 0.05 < spikes.mean().item() < 0.5
    assert np.array_equal(spikes.detach().permute(0, 2, 1).numpy(), reference[f"{case}.spikes"])
    np.testing.assert_allclose(
        current.grad.permute(0, 2, 1).numpy(), reference[f"{case}.grad_current"], rtol=1e-5, atol=1e-5
    )
    v = torch.zeros_like(current[0])
    for t, drive in enumerate(current.detach()):
        _, _, v = neuron_step(drive, v, neuron)
        np.testing.assert_allclose(v.t().numpy(), reference[f"{case}.v_after_reset"][t], atol=1e-5)


@pytest.mark.parametrize("reset", ["hard", "soft", "late", "none", "dead"])
def test_constants_of_single_neurons_count_in_membranes_and_gradients(reset):
    generator = torch.Generator().manual_seed(3)
    own = {
        "leak": torch.tensor([[0.0], [0.5], [1.0]]),
        "start": torch.tensor([[-0.4], [0.3], [0.2]]),
        "floor": torch.tensor([[-0.3], [-0.1], [0.0]]),
    }
    neuron = LIF(reset=reset, **own)
    current = torch.randn(12, 3, 5, generator=generator).requires_grad_()
    spikes = neurons(current, neuron)
    # The same with what autograd makes of it: spikes that are no part of a reset, as they are detached.
    v, before, found = own["start"].expand(3, 5), torch.zeros(3, 5), []
    for drive in current:
        u = own["leak"] * v + drive
        u = u - before if reset == "late" else u * (1 - before) if reset == "dead" else u
        s = (u >= 1).float()
        found.append(s + (surrogate_gradient(u.detach(), neuron) * u - (surrogate_gradient(u, neuron) * u).detach()))
        left = u * (1 - s) if reset in ("hard", "dead") else u - s if reset == "soft" else u
        v, before = torch.maximum(left, own["floor"]), s
    expected = torch.stack(found)
    assert torch.equal(spikes, expected.detach().round())
    weight = torch.randn(12, 3, 5, generator=generator)
    (gradient,) = torch.autograd.grad((spikes * weight).sum(), current)
    (wanted,) = torch.autograd.grad((expected * weight).sum(), current)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tau": 0.5}, "tau must be at least 1 step, not 0.5"),
        ({"tau": float("nan")}, "tau must be at least 1 step, not nan"),
        ({"tau_syn": 0.9}, "tau_syn must be at least 1 step, not 0.9"),
        ({"threshold": 0.0}, "threshold must be above 0, not 0.0"),
        ({"reset": "zero"}, "reset must be one of hard, soft, late, none, dead, twice, not 'zero'"),
        ({"strict": 1}, "strict must be true or false, not 1"),
        ({"surrogate": "box"}, "surrogate must be 'atan' or 'triangle', not 'box'"),
        ({"alpha": -1.0}, "alpha must be above 0, not -1.0"),
    ],
)
def test_constants_out_of_range(values, message):
    with pytest.raises(ValueError) as error:
        LIF(**values)
    assert str(error.value) == message
