import copy

import numpy as np
import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.optim import AdaBreg, LinBreg, ProxSGD
from spikewright.learn.regularizers import L1, GroupL1L2, PositiveL1
from spikewright.learn.sparsity import sparsity

CASES = {
    "linbreg_l1": lambda p: LinBreg(p, lr=0.05, reg=L1(0.3)),
    "linbreg_l1_delta2": lambda p: LinBreg(p, lr=0.05, reg=L1(0.3), delta=2.0),
    "linbreg_momentum_l1": lambda p: LinBreg(p, lr=0.05, reg=L1(0.3), momentum=0.9),
    "linbreg_none": lambda p: LinBreg(p, lr=0.05),
    "adabreg_l1": lambda p: AdaBreg(p, lr=0.02, reg=L1(0.3)),
    "adabreg_l1_delta05": lambda p: AdaBreg(p, lr=0.02, reg=L1(0.3), delta=0.5),
    "adabreg_none": lambda p: AdaBreg(p, lr=0.02),
    "adabreg_group_l1_l2": lambda p: AdaBreg(p, lr=0.02, reg=GroupL1L2(0.1)),
    "adabreg_l1_pos": lambda p: AdaBreg(p, lr=0.02, reg=PositiveL1(0.3)),
    "proxsgd_l1": lambda p: ProxSGD(p, lr=0.05, reg=L1(0.3)),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference_trajectory(shared_dir, case):
    reference = np.load(shared_dir / "reference" / "optimizers.npz")
    p = torch.nn.Parameter(torch.tensor(reference["init"]))
    optimizer = CASES[case]([p])
    for grad, expected in zip(reference["grads"], reference[f"traj_{case}"], strict=True):
        p.grad = torch.tensor(grad)
        optimizer.step()
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
        assert np.array_equal(p.detach().numpy() == 0, expected == 0)


def test_adabreg_without_regularizer_is_adam():
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 4, generator=generator)
    ours, adam = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = [AdaBreg([ours], lr=0.01), torch.optim.Adam([adam], lr=0.01)]
    for _ in range(50):
        ours.grad = adam.grad = torch.randn(5, 4, generator=generator)
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(ours, adam, rtol=1e-5, atol=1e-6)


def test_groups_have_their_own_regularizer():
    sparse, plain = (torch.nn.Parameter(torch.zeros(100)) for _ in range(2))
    optimizer = AdaBreg([{"params": [sparse], "reg": L1(0.5)}, {"params": [plain]}], lr=0.1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        sparse.grad = plain.grad = torch.randn(100, generator=generator)
        optimizer.step()
    assert sparsity([sparse]) == 1.0
    assert sparsity([plain]) == 0.0
    assert optimizer.regularization() == [0.0, 0.0]


@pytest.mark.parametrize("kind", [LinBreg, AdaBreg, ProxSGD])
def test_state_dict_resumes_exactly(kind):
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(6, 6, generator=generator)
    grads = torch.randn(20, 6, 6, generator=generator)
    more = {"momentum": 0.5} if kind is LinBreg else {}

    def run(p, optimizer, part):
        for grad in part:
            p.grad = grad.clone()
            optimizer.step()

    unbroken = torch.nn.Parameter(start.clone())
    run(unbroken, kind([unbroken], lr=0.05, reg=L1(0.1), **more), grads)
    first = torch.nn.Parameter(start.clone())
    optimizer = kind([first], lr=0.05, reg=L1(0.1), **more)
    run(first, optimizer, grads[:10])
    state = copy.deepcopy(optimizer.state_dict())
    second = torch.nn.Parameter(first.detach().clone())
    resumed = kind([second], lr=0.05, reg=L1(9.0), **more)
    for _ in range(2):  # PyTorch adds a setting the first time, which the state lacks
        resumed.load_state_dict(state)
    assert resumed.param_groups[0]["reg"].lam == 0.1
    run(second, resumed, grads[10:])
    assert torch.equal(second, unbroken)


def test_schedulers_and_closures_work():
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = AdaBreg([p], lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 3.0
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_parameters_without_gradient_are_left_alone():
    p = torch.nn.Parameter(torch.ones(3))
    LinBreg([p], reg=L1(5.0)).step()
    assert p.tolist() == [1.0, 1.0, 1.0]


BREGMAN = {
    "linbreg": lambda p: LinBreg(p, lr=0.01, reg=L1(0.05)),
    "linbreg_momentum": lambda p: LinBreg(p, lr=0.01, reg=L1(0.05), momentum=0.9),
    "adabreg": lambda p: AdaBreg(p, lr=0.01, reg=L1(0.05)),
    "adabreg_delta": lambda p: AdaBreg(p, lr=0.01, reg=L1(0.05), delta=0.5),
    "adabreg_none": lambda p: AdaBreg(p, lr=0.01),
    "adabreg_groups": lambda p: AdaBreg(p, lr=0.01, reg=GroupL1L2(0.02)),
    "proxsgd": lambda p: ProxSGD(p, lr=0.01, reg=L1(0.05)),
}


def _walk(p, optimizer, steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()


@pytest.mark.parametrize("case", BREGMAN)
def test_a_step_starts_from_weights_that_were_written_from_outside(case):
    start = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    p = torch.nn.Parameter(start.clone())
    optimizer = BREGMAN[case]([p])
    _walk(p, optimizer, 100)
    with torch.no_grad():
        p.copy_(start)
    p.grad = torch.zeros_like(p)
    if case in ("linbreg_momentum", "adabreg", "adabreg_delta", "adabreg_none", "adabreg_groups"):
        for name in ("momentum", "exp_avg"):  # without momentum from before, a step without gradient moves nothing
            if name in optimizer.state[p]:
                optimizer.state[p][name].zero_()
    optimizer.step()
    shrunk = 0.01 * 0.05 if case == "proxsgd" else 0.0
    torch.testing.assert_close(p.detach(), start - shrunk * start.sign(), rtol=1e-5, atol=1e-6)


def test_a_mask_holds_and_other_zero_weights_keep_their_way():
    generator = torch.Generator().manual_seed(0)
    masked, free = (torch.nn.Parameter(torch.zeros(2, 50)) for _ in range(2))
    optimizers = [AdaBreg([q], lr=0.01, reg=L1(0.2)) for q in (masked, free)]
    for _ in range(40):
        grad = torch.randn(2, 50, generator=generator) - 0.5
        for q, optimizer in zip((masked, free), optimizers, strict=True):
            q.grad = grad.clone()
            optimizer.step()
        with torch.no_grad():
            masked[0] = 0.0
            masked[1, 0] = 7.0
    assert not masked[0].any()
    assert masked[1, 0] == 7.0
    assert masked[1].count_nonzero() > 10
    assert torch.equal(masked[1, 1:], free[1, 1:])


def test_a_group_that_was_touched_starts_anew_as_a_whole():
    p = torch.nn.Parameter(torch.randn(3, 4, generator=torch.Generator().manual_seed(2)))
    optimizer = AdaBreg([p], lr=0.0, reg=GroupL1L2(0.1))
    p.grad = torch.ones_like(p)
    optimizer.step()
    with torch.no_grad():
        p[1, 2] = 3.0
    written = p.detach().clone()
    optimizer.step()
    torch.testing.assert_close(p.detach(), written, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", BREGMAN)
def test_weights_swapped_out_and_back_between_steps_change_nothing(case):
    start = torch.randn(6, 5, generator=torch.Generator().manual_seed(3))
    plain, swapped = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    for p in (plain, swapped):
        optimizer = BREGMAN[case]([p])
        generator = torch.Generator().manual_seed(4)
        for _ in range(20):
            p.grad = torch.randn(p.shape, generator=generator)
            optimizer.step()
            if p is swapped:
                kept = p.data.clone()
                p.data.zero_()
                p.data.copy_(kept)
    assert torch.equal(plain, swapped)


@pytest.mark.parametrize("kind", [LinBreg, AdaBreg, ProxSGD])
def test_groups_added_later_are_trained_and_checked_like_the_first(kind):
    first, later = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(2, 3))
    optimizer = kind([first], lr=0.01)
    optimizer.add_param_group({"params": [later]})
    first.grad = later.grad = torch.ones(2, 3)
    optimizer.step()
    assert torch.equal(first, later)
    assert not torch.equal(later, torch.ones(2, 3))
    with pytest.raises(InputError, match=r"^lr must be at least 0, not -1.0$"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "lr": -1.0})
    assert len(optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lr", -1.0, "lr must be at least 0, not -1.0"),
        ("lr", float("nan"), "lr must be at least 0, not nan"),
        ("lr", "0.1", "lr must be a number, not '0.1'"),
        ("delta", 0.0, "delta must be above 0, not 0.0"),
        ("betas", (0.9, 1.0), "betas must be at least 0 and below 1, not 1.0"),
        ("betas", 0.9, "betas must be two numbers, not 0.9"),
        ("reg", 0.02, "reg must be a regularizer such as L1(0.02), not 0.02"),
        ("weight_decay", 0.1, "weight_decay must be left out, as AdaBreg has no such setting"),
        ("momentum", 0.9, "momentum must be left out, as AdaBreg has no such setting"),
    ],
)
@pytest.mark.parametrize("way", ["constructor", "added", "written", "loaded"])
def test_settings_are_checked_whichever_way_they_come(name, value, message, way):
    p = torch.nn.Parameter(torch.ones(2, 2))
    p.grad = torch.ones(2, 2)
    with pytest.raises(InputError) as error:
        if way == "constructor":
            AdaBreg([{"params": [p], name: value}])
        optimizer = AdaBreg([torch.nn.Parameter(torch.ones(1))] if way == "added" else [p])
        if way == "added":
            optimizer.add_param_group({"params": [p], name: value})
        elif way == "written":
            optimizer.param_groups[0][name] = value
            optimizer.step()
        elif name == "reg":
            raise InputError(message)  # a state holds the lambda of a regularizer, no regularizer
        else:
            state = optimizer.state_dict()
            state["param_groups"][0][name] = value
            try:
                optimizer.load_state_dict(state)
            finally:
                assert optimizer.param_groups[0]["lr"] == 1e-3  # stays as it was
                optimizer.step()
    assert str(error.value) == message


def test_a_state_of_another_optimizer_is_refused():
    p = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(InputError, match=r"^state must be that of AdaBreg, not one without delta, reg$"):
        AdaBreg([p]).load_state_dict(torch.optim.Adam([p]).state_dict())


def test_a_state_that_lacks_something_is_refused_before_a_step():
    p = torch.nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    optimizer = AdaBreg([p], reg=L1(0.1))
    optimizer.step()
    state = optimizer.state_dict()
    del state["state"][0]["written"]
    with pytest.raises(InputError, match=r"^state of parameter 0 must have written, not lack them$"):
        AdaBreg([p], reg=L1(0.1)).load_state_dict(state)


@pytest.mark.parametrize("kind", [LinBreg, AdaBreg, ProxSGD])
def test_a_learning_rate_may_be_a_tensor(kind):
    numbers, tensors = (torch.nn.Parameter(torch.ones(2, 3)) for _ in range(2))
    for p, lr in ((numbers, 0.5), (tensors, torch.tensor(0.5))):
        p.grad = torch.ones(2, 3)
        kind([p], lr=lr, reg=L1(0.1)).step()
    assert torch.equal(numbers, tensors)


@pytest.mark.parametrize("kind", [LinBreg, AdaBreg, ProxSGD])
@pytest.mark.parametrize("reg", [None, L1(0.1), PositiveL1(0.1), GroupL1L2(0.1)])
def test_complex_parameters_are_refused_by_name(kind, reg):
    module = torch.nn.Linear(3, 2, dtype=torch.complex64)
    with pytest.raises(InputError) as error:
        kind(module.named_parameters(), reg=reg)
    assert str(error.value) == "weight must be real floating-point numbers, not complex64"


def test_groups_of_biases_are_refused_by_name():
    with pytest.raises(InputError) as error:
        AdaBreg(torch.nn.Linear(6, 5).named_parameters(), reg=GroupL1L2(0.1))
    assert str(error.value) == (
        "bias must have at least 2 dimensions for GroupL1L2, not the shape (5,): "
        "put biases into a parameter group without it"
    )


def test_a_regularizer_of_the_users_own_needs_no_more_than_value_prox_and_sub_grad():
    class Half:
        lam = 0.0

        def value(self, x):
            return x.square().sum() / 4

        def prox(self, x, step=1.0):
            return x / (1 + step / 2)

        def sub_grad(self, x):
            return x / 2

    p = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = AdaBreg([p], lr=0.0, reg=Half())
    p.grad = torch.ones(2, 2)
    optimizer.step()
    with torch.no_grad():
        p[0, 0] = 3.0
    optimizer.step()
    torch.testing.assert_close(p.detach(), torch.tensor([[3.0, 1.0], [1.0, 1.0]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: AdaBreg(p, lr=-1.0), "lr must be at least 0, not -1.0"),
        (lambda p: AdaBreg(p, delta=0.0), "delta must be above 0, not 0.0"),
        (lambda p: AdaBreg(p, betas=(1.0, 0.9)), "betas must be at least 0 and below 1, not 1.0"),
        (lambda p: AdaBreg(p, eps=0.0), "eps must be above 0, not 0.0"),
        (lambda p: LinBreg(p, momentum=1.5), "momentum must be at least 0 and below 1, not 1.5"),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(InputError) as error:
        make([torch.nn.Parameter(torch.ones(2))])
    assert str(error.value) == message
