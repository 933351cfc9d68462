import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.controller import SparsityController
from spikewright.learn.optim import AdaBreg
from spikewright.learn.regularizers import L1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda p: SparsityController(torch.optim.Adam(p), 0, 0.5),
            "optimizer must be LinBreg, AdaBreg or ProxSGD, not Adam",
        ),
        (
            lambda p: SparsityController(AdaBreg(p, reg=L1()), 1, 0.5),
            "group must be one of the optimizer's 1 parameter groups, not 1",
        ),
        (
            lambda p: SparsityController(AdaBreg(p), 0, 1.0),
            "target sparsity must be at least 0 and below 1, not 1.0",
        ),
        (
            lambda p: SparsityController(AdaBreg(p), 0, 0.5),
            "group must be one with a regularizer, whose lambda can be moved, not group 0",
        ),
    ],
)
def test_what_a_controller_needs(make, message):
    with pytest.raises(InputError) as error:
        make([torch.nn.Parameter(torch.ones(2))])
    assert str(error.value) == message


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
