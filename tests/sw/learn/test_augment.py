import pytest
import torch

from spikewright.learn.augment import Augmenter
from spikewright.learn.config import AugmentConfig


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 6, (40, 30, 24), generator=generator, dtype=torch.uint8)
    counts[:, 20:] = 0
    return counts, torch.arange(40) % 4


def draw(data, seed=1, **settings):
    index = torch.arange(0, 40, 2)
    return Augmenter(*data, AugmentConfig(**settings)).batch(index, torch.Generator().manual_seed(seed)), index


def test_nothing_is_changed_by_default(data):
    values, index = draw(data)
    assert torch.equal(values, data[0][index].permute(1, 2, 0).float())


ALL = {
    "channel_shift": 3.0,
    "channel_warp": 0.2,
    "time_warp": 0.2,
    "time_shift": 3,
    "drop": 0.4,
    "mix": 0.5,
    "channel_mask": 6,
    "time_mask": 6,
}


@pytest.mark.parametrize("name", ALL)
def test_each_change_gives_counts(data, name):
    values, index = draw(data, **{name: ALL[name]})
    original = data[0][index].permute(1, 2, 0).float()
    assert values.shape == original.shape
    assert not torch.equal(values, original)
    assert torch.equal(values, values.round())
    assert values.min() >= 0
    assert values.max() <= 10


def test_the_seed_decides(data):
    assert torch.equal(draw(data, **ALL)[0], draw(data, **ALL)[0])
    assert not torch.equal(draw(data, **ALL)[0], draw(data, seed=2, **ALL)[0])


def test_dropping_loses_the_stated_share(data):
    values, index = draw(data, drop=0.8)
    share = values.sum() / data[0][index].sum()
    assert 0.5 < share < 0.7  # 1 - 0.8 * U(0, 1) is 0.6 on average


def test_channel_shift_moves_whole_channels(data):
    values, index = draw(data, channel_shift=4.0)
    for sample, number in zip(values.permute(2, 0, 1), index, strict=True):
        source = data[0][number].float()
        moves = [move for move in range(-4, 5) if torch.equal(sample, shifted(source, move))]
        assert len(moves) == 1


def shifted(source, move):
    out = torch.zeros_like(source)
    width = source.shape[1]
    out[:, max(0, -move) : width - max(0, move)] = source[:, max(0, move) : width - max(0, -move)]
    return out


def test_mixing_stays_within_the_class():
    counts = torch.zeros(8, 10, 4, dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    for sample, label in enumerate(labels):
        counts[sample, :, label] = 4
    values = Augmenter(counts, labels, AugmentConfig(mix=1.0)).batch(torch.arange(8), torch.Generator().manual_seed(0))
    for sample, label in enumerate(labels):
        others = [channel for channel in range(4) if channel != label]
        assert values[:, others, sample].sum() == 0
        assert values[:, label, sample].sum() > 0
