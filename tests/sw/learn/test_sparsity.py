import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.sparsity import sparse_init_, sparsity


def test_sparse_init_keeps_the_variance():
    weight = torch.randn(300, 300, generator=torch.Generator().manual_seed(3))
    before = weight.square().mean().item()
    sparse_init_(weight, 0.2, torch.Generator().manual_seed(4))
    assert sparsity([weight]) == pytest.approx(0.8, abs=0.01)
    assert weight.square().mean().item() == pytest.approx(before, rel=0.03)


def test_a_density_out_of_range():
    with pytest.raises(InputError) as error:
        sparse_init_(torch.ones(2), 0.0)
    assert str(error.value) == "density must be above 0 and at most 1, not 0.0"
