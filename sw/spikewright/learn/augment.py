"""Random changes of spike counts that a listener would not notice, drawn anew for every epoch.

Most test speakers of SHD are absent from its training part. Shifting and stretching the channel axis imitates another
vocal tract (the channels are ordered by frequency), stretching time another pace; mixing two samples of a class
follows the blending of the reference recipe (Queant et al. 2025; Nowotny et al. 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor

from spikewright.learn.config import AugmentConfig


class Augmenter:
    """Draws augmented batches.

    Parameters
    ----------
    counts : (samples, T, I) uint8
    labels : (samples,) int64
    config : AugmentConfig
    """

    def __init__(self, counts: Tensor, labels: Tensor, config: AugmentConfig) -> None:
        self.counts = counts
        self.config = config
        order = torch.argsort(labels, stable=True)
        sizes = torch.bincount(labels)
        self.members = order  # samples, class by class
        self.first = (torch.cumsum(sizes, 0) - sizes)[labels]  # per sample: where its class begins in `members`
        self.size = sizes[labels]
        steps = torch.arange(counts.shape[1], dtype=torch.float32)
        totals = counts.sum(dim=2, dtype=torch.float32)
        self.centre = (totals @ steps) / totals.sum(dim=1).clamp(min=1.0)

    def batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Counts (T, I, B) float32 of the samples `index` (B,), changed as configured."""
        config = self.config
        values = self._warped(index, None, generator)
        if config.mix:
            mixed = torch.nonzero(torch.rand(len(index), generator=generator) < config.mix).flatten()
            pick = torch.rand(len(mixed), generator=generator)
            own = index[mixed]
            partner = self.members[self.first[own] + (pick * self.size[own]).long()]
            other = self._warped(partner, self.centre[own] - self.centre[partner], generator)
            share = 0.3 + 0.4 * torch.rand(len(mixed), 1, 1, generator=generator)
            values[mixed] = _thin(values[mixed], share, generator) + _thin(other, 1.0 - share, generator)
        if config.drop:
            keep = 1.0 - config.drop * torch.rand(len(index), 1, 1, generator=generator)
            values = _thin(values, keep, generator)
        if config.channel_mask:
            values.mul_(~_span(values.shape[2], config.channel_mask, len(index), generator).unsqueeze(1))
        if config.time_mask:
            values.mul_(~_span(values.shape[1], config.time_mask, len(index), generator).unsqueeze(2))
        return values.permute(1, 2, 0).contiguous()

    def _warped(self, index: Tensor, shift: Tensor | None, generator: torch.Generator) -> Tensor:
        """(B, T, I) float32: time and channels resampled, by the nearest source step and channel."""
        config = self.config
        values = self.counts[index]
        size, steps, channels = values.shape
        offset = torch.zeros(size) if shift is None else shift
        if config.time_shift:
            offset = offset + torch.randint(-config.time_shift, config.time_shift + 1, (size,), generator=generator)
        if config.time_warp or config.time_shift or shift is not None:
            pace = 1.0 + config.time_warp * _symmetric(size, generator)
            source = torch.round(torch.arange(steps) * pace.unsqueeze(1) - offset.unsqueeze(1)).long()
            inside = (source >= 0) & (source < steps)
            values = values[torch.arange(size).unsqueeze(1), source.clamp(0, steps - 1)] * inside.unsqueeze(2)
        if config.channel_shift or config.channel_warp:
            scale = 1.0 + config.channel_warp * _symmetric(size, generator)
            move = config.channel_shift * _symmetric(size, generator)
            middle = (channels - 1) / 2
            position = (torch.arange(channels) - middle) * scale.unsqueeze(1) + middle + move.unsqueeze(1)
            source = torch.round(position).long()
            inside = (source >= 0) & (source < channels)
            chosen = source.clamp(0, channels - 1).unsqueeze(1).expand(-1, steps, -1)
            values = values.gather(2, chosen) * inside.unsqueeze(1)
        return values.to(torch.float32)


def _symmetric(size: int, generator: torch.Generator) -> Tensor:
    return 2.0 * torch.rand(size, generator=generator) - 1.0


def _thin(values: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
    """Keep a share of the events: `values * keep`, rounded at random to one of the two neighbouring integers."""
    return torch.floor(values * keep + torch.rand(values.shape, generator=generator))


def _span(length: int, longest: int, size: int, generator: torch.Generator) -> Tensor:
    """(size, length) bool: a random span of 0 .. `longest` positions in each row."""
    first = torch.randint(0, length, (size, 1), generator=generator)
    span = torch.randint(0, longest + 1, (size, 1), generator=generator)
    position = torch.arange(length)
    return (position >= first) & (position < first + span)
