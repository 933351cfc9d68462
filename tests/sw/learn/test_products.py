import pytest
import torch

from spikewright.learn.products import DENSEST, block_of, outer_sum, product, sparse


def drawn(shape, share, seed, values=(1, 4)):
    """Whole numbers, `share` of them not 0, so that every sum is exact in whatever order."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(shape, generator=generator) < share
    return present * torch.randint(*values, shape, generator=generator)


@pytest.mark.parametrize(
    ("steps", "inputs", "neurons", "batch"),
    [
        (3, 5, 7, 1),
        (2, 1, 64, 16),
        (4, 200, 65, 17),
        (3, 130, 48, 63),
        (2, 400, 33, 64),
        (2, 9, 16, 65),
        (2, 20, 3, 200),
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_products_are_those_of_dense_matrices(steps, inputs, neurons, batch, masked):
    x = drawn((steps, inputs, batch), 0.2, 1).float()
    x[0], x[1, -1] = 0, 2
    weight = drawn((neurons, inputs), 0.8, 2, (-9, 10)).float()
    grad = drawn((steps, neurons, batch), 0.9, 3, (-9, 10)).float()
    mask = drawn((inputs, batch), 0.7, 4, (2, 4)).float() if masked else None
    factored = x if mask is None else x * mask
    assert torch.equal(product(x, weight, mask), torch.einsum("ni,tib->tnb", weight, factored))
    assert torch.equal(outer_sum(grad, x, mask), torch.einsum("tnb,tib->ni", grad, factored))


def test_several_threads_find_the_same():
    x = drawn((5, 70, 20), 0.1, 1).float()
    weight, grad = (torch.randn(shape, generator=torch.Generator().manual_seed(2)) for shape in ((33, 70), (5, 33, 20)))
    alone = product(x, weight), outer_sum(grad, x)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        shared = product(x, weight), outer_sum(grad, x)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))


def test_a_sum_is_added_up_block_by_block():
    # 1 is lost beside 2**24, unless it is added to another 1 first.
    x, weight = torch.ones(1, 300, 16), torch.zeros(64, 300)
    weight[:, 0], weight[:, 150], weight[:, 151] = 2.0**24, 1.0, 1.0
    assert block_of(300) == 150
    assert torch.equal(product(x, weight), torch.full((1, 64, 16), 2.0**24 + 2))
    weight[:, 149], weight[:, 151] = 1.0, 0.0
    assert torch.equal(product(x, weight), torch.full((1, 64, 16), 2.0**24))


@pytest.mark.parametrize(
    ("length", "block"), [(0, 1), (1, 1), (192, 192), (193, 97), (256, 128), (384, 192), (385, 192)]
)
def test_blocks_are_halves_until_two_are_full(length, block):
    assert block_of(length) == block


def test_sparse_is_chosen_where_it_is_faster():
    few = (torch.arange(32 * 40 * 20).reshape(32, 40, 20) % 10 == 0).float()
    assert sparse(few, 64)
    assert not sparse(few, 63)
    assert not sparse(few[:, :, :15], 64)
    assert not sparse(few.double(), 64)
    assert not sparse(few.to("meta"), 64)
    assert not sparse((torch.rand(32, 40, 20, generator=torch.Generator().manual_seed(0)) < DENSEST + 0.1).float(), 64)
