import itertools

import pytest
import torch

from spikewright.integer.lattice import Lattice


def problem(seed, neurons=1, width=3, correlation=1.0, largest=3.0):
    """Moments of random inputs that share a part."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(neurons, 20, width, generator=generator, dtype=torch.float64)
    x += correlation * torch.rand(neurons, 20, 1, generator=generator, dtype=torch.float64)
    weights = torch.randn(neurons, width, generator=generator, dtype=torch.float64)
    scale = largest / weights.abs().amax(dim=1)
    return Lattice(weights, x.mT @ x, largest), scale


def nearest(lattice, scale):
    return torch.round(lattice.weights * scale[:, None])


def test_error_is_the_quadratic_form():
    lattice, scale = problem(0, neurons=3, width=4)
    rest = nearest(lattice, scale) / scale[:, None] - lattice.weights
    expected = [float(r @ m @ r) for r, m in zip(rest, lattice.moments, strict=True)]
    assert lattice.error(nearest(lattice, scale), scale).tolist() == pytest.approx(expected)


def test_the_best_of_all_roundings_is_found_or_nearly():
    every = torch.tensor(list(itertools.product(range(-3, 4), repeat=3)), dtype=torch.float64)
    best, found, rounded = [], [], []
    for seed in range(60):
        lattice, scale = problem(seed)
        rest = every / scale - lattice.weights
        best.append(float(((rest @ lattice.moments[0]) * rest).sum(dim=1).min()))
        integers, error = lattice.solve(nearest(lattice, scale), scale)
        assert error.tolist() == pytest.approx(lattice.error(integers, scale).tolist())
        found.append(float(error))
        rounded.append(float(lattice.error(nearest(lattice, scale), scale)))
    assert all(f >= b - 1e-12 for f, b in zip(found, best, strict=True))
    assert sum(f < b + 1e-9 for f, b in zip(found, best, strict=True)) > 50
    assert sum(found) < 1.05 * sum(best)
    assert sum(found) < 0.7 * sum(rounded)


@pytest.mark.parametrize("seed", range(3))
def test_no_single_weight_can_be_improved(seed):
    lattice, scale = problem(seed, neurons=5, width=12, largest=7.0)
    integers, error = lattice.solve(nearest(lattice, scale), scale)
    assert torch.equal(integers, integers.round())
    assert integers.abs().max() <= 7.0
    for axon, step in itertools.product(range(12), (-1.0, 1.0)):
        other = integers.clone()
        other[:, axon] = (other[:, axon] + step).clamp(-7.0, 7.0)
        assert (lattice.error(other, scale) >= error - 1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_neither_worse_than_the_start_nor_than_one_pass(seed):
    lattice, scale = problem(seed, neurons=20, width=16, correlation=0.3, largest=1.0)
    start = nearest(lattice, scale)
    _, error = lattice.solve(start, scale)
    assert (error <= lattice.error(start, scale)).all()
    assert (error <= lattice.error(lattice.nearest_plane(scale), scale)).all()
    assert error.sum() < 0.9 * lattice.error(start, scale).sum()


def test_independent_axons_are_rounded_to_the_nearest():
    lattice, scale = problem(4, neurons=6, width=9, largest=7.0)
    lattice = Lattice(lattice.weights, torch.diag_embed(torch.rand(6, 9).double() + 0.1), 7.0)
    assert torch.equal(lattice.nearest_plane(scale), nearest(lattice, scale))
    assert torch.equal(lattice.solve(nearest(lattice, scale), scale)[0], nearest(lattice, scale))


def test_a_weight_beyond_the_largest_integer_is_made_good_by_the_others():
    moments = torch.ones(1, 2, 2).double() + 0.1 * torch.eye(2).double()
    lattice = Lattice(torch.tensor([[5.0, 0.0]]).double(), moments, 3.0)
    assert lattice.solve(torch.tensor([[3.0, 0.0]]).double(), torch.ones(1).double())[0].tolist() == [[3.0, 2.0]]
