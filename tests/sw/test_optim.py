import copy

import numpy as np
import pytest
import torch

from spikewright.errors import InputError
from spikewright.optim import AdaBreg, LinBreg, ProxSGD, SparsityController, sparse_init_, sparsity
from spikewright.regularizers import L1, GroupL1L2, PositiveL1

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


@pytest.mark.parametrize("target", [0.3, 0.8])
def test_controller_reaches_the_target(target):
    generator = torch.Generator().manual_seed(2)
    p = torch.nn.Parameter(torch.randn(2000, generator=generator) * 0.1)
    goal = torch.randn(2000, generator=generator) * 0.2
    optimizer = AdaBreg([p], lr=0.001, reg=L1(0.05))
    controller = SparsityController(optimizer, 0, target, gain=0.1, ramp=10, largest=0.02)
    for _ in range(60):
        for _ in range(10):
            p.grad = p.detach() - goal + torch.randn(2000, generator=generator) * 0.3
            optimizer.step()
        controller.step()
    assert abs(controller.sparsity() - target) < 0.05
    assert controller.state_dict()["calls"] == 60


def test_sparse_init_keeps_the_variance():
    weight = torch.randn(300, 300, generator=torch.Generator().manual_seed(3))
    before = weight.square().mean().item()
    sparse_init_(weight, 0.2, torch.Generator().manual_seed(4))
    assert sparsity([weight]) == pytest.approx(0.8, abs=0.01)
    assert weight.square().mean().item() == pytest.approx(before, rel=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: AdaBreg(p, lr=-1.0), "lr must be at least 0, not -1.0"),
        (lambda p: AdaBreg(p, delta=0.0), "delta must be above 0, not 0.0"),
        (lambda p: AdaBreg(p, betas=(1.0, 0.9)), "betas must be at least 0 and below 1, not 1.0"),
        (lambda p: AdaBreg(p, eps=0.0), "eps must be above 0, not 0.0"),
        (lambda p: LinBreg(p, momentum=1.5), "momentum must be at least 0 and below 1, not 1.5"),
        (lambda p: SparsityController(AdaBreg(p), 0, 1.0), "target sparsity must be at least 0 and below 1, not 1.0"),
        (lambda p: sparse_init_(p[0], 0.0), "density must be above 0 and at most 1, not 0.0"),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(InputError) as error:
        make([torch.nn.Parameter(torch.ones(2))])
    assert str(error.value) == message
