import math

import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.regularizers import L1, GroupL1L2, NoRegularizer, PositiveL1

ALL = [NoRegularizer(), L1(0.3), PositiveL1(0.3), GroupL1L2(0.2), GroupL1L2(0.2, axis=0)]


@pytest.mark.parametrize("reg", ALL, ids=repr)
@pytest.mark.parametrize("step", [0.5, 2.0])
def test_prox_minimizes_its_objective(reg, step):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    p = reg.prox(x, step)

    def objective(q):
        return float(((q - x) ** 2).sum() / 2 + step * reg.value(q))

    best = objective(p)
    assert math.isfinite(best)
    for _ in range(200):
        q = p + 0.05 * torch.randn(p.shape, generator=generator, dtype=torch.float64)
        assert objective(q) >= best - 1e-12


@pytest.mark.parametrize("reg", [L1(0.3), GroupL1L2(0.2), GroupL1L2(0.2, axis=0)], ids=repr)
def test_sub_grad_supports_the_value_from_below(reg):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    x[1] = 0
    g = reg.sub_grad(x)
    for _ in range(100):
        y = torch.randn(4, 5, generator=generator, dtype=torch.float64)
        assert float(reg.value(y)) >= float(reg.value(x) + (g * (y - x)).sum()) - 1e-12


def test_soft_thresholding_gives_exact_zeros():
    assert L1(0.5).prox(torch.tensor([-2.0, -0.5, 0.3, 0.5, 0.75])).tolist() == [-1.5, 0.0, 0.0, 0.0, 0.25]


def test_positive_weights_only():
    assert PositiveL1(0.5).prox(torch.tensor([-2.0, 0.25, 1.0])).tolist() == [0.0, 0.0, 0.5]
    assert PositiveL1(0.5).value(torch.tensor([-1.0])).item() == math.inf


def test_groups_vanish_as_a_whole():
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    rows = GroupL1L2(0.5).prox(x)
    assert rows[1].tolist() == [0.0, 0.0]
    assert rows[0].norm().item() == pytest.approx(5 - 0.5 * math.sqrt(2))
    columns = GroupL1L2(3.0, axis=0).prox(torch.tensor([[3.0, 0.4], [4.0, 0.3]]))
    assert columns[:, 1].tolist() == [0.0, 0.0]
    assert columns[:, 0].norm().item() == pytest.approx(5 - 3 * math.sqrt(2))


def test_group_of_zeros_stays_without_nan():
    assert GroupL1L2(0.5).prox(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2
    assert GroupL1L2(0.5).sub_grad(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("lam", [-0.1, math.nan, math.inf])
def test_lambda_out_of_range(lam):
    with pytest.raises(InputError) as error:
        L1(lam)
    assert str(error.value) == f"lam must be finite and at least 0, not {lam}"


def test_axis_out_of_range():
    with pytest.raises(InputError, match=r"^axis must be 0 \(columns\) or 1 \(rows\), not 2$"):
        GroupL1L2(axis=2)


@pytest.mark.parametrize("lam", [-0.1, math.nan, "0.1", True, None])
def test_lambda_is_checked_when_it_is_set_later(lam):
    reg = L1(0.1)
    with pytest.raises(InputError) as error:
        reg.lam = lam
    assert str(error.value) == f"lam must be finite and at least 0, not {lam}"
    assert reg.lam == 0.1


def test_nothing_is_weighed_by_no_regularizer():
    reg = NoRegularizer()
    reg.lam = 0.0
    with pytest.raises(InputError, match=r"^lam must be 0 where there is no regularizer, not 0.5$"):
        reg.lam = 0.5


@pytest.mark.parametrize(("axis", "weak"), [(1, (1,)), (0, (slice(None), 1))])
@pytest.mark.parametrize("kernel", [(), (3,), (3, 2), (2, 2, 2)])
def test_groups_of_a_convolution_are_whole_filters_or_input_channels(axis, weak, kernel):
    x = torch.ones(2, 2, *kernel)
    x[weak] = 0.01
    x[(0, 0, *(0 for _ in kernel))] = 0.001  # one weak place of a strong group stays
    p = GroupL1L2(0.05, axis).prox(x)
    assert not p[weak].any()
    assert int((p == 0).sum()) == x.numel() // 2
    length = x.numel() // 2
    strong = x[0] if axis == 1 else x[:, 0]
    kept = p[0] if axis == 1 else p[:, 0]
    assert kept.norm().item() == pytest.approx(strong.norm().item() - 0.05 * math.sqrt(length), rel=1e-5)


@pytest.mark.parametrize("reg", ALL, ids=repr)
@pytest.mark.parametrize("operation", ["value", "prox", "sub_grad"])
def test_complex_numbers_are_refused(reg, operation):
    with pytest.raises(InputError, match=r"^x must be real floating-point numbers, not complex64$"):
        getattr(reg, operation)(torch.ones(2, 2, dtype=torch.complex64))


@pytest.mark.parametrize("operation", ["value", "prox", "sub_grad"])
def test_groups_need_two_dimensions(operation):
    with pytest.raises(InputError, match=r"^x must have at least 2 dimensions for GroupL1L2, not the shape \(4,\)"):
        getattr(GroupL1L2(), operation)(torch.ones(4))
