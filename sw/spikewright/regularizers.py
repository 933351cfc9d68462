"""Public names of `spikewright.learn.regularizers`, where the package itself imports them from."""

from spikewright.learn.regularizers import L1, GroupL1L2, NoRegularizer, PositiveL1, Regularizer

__all__ = [
    "L1",
    "GroupL1L2",
    "NoRegularizer",
    "PositiveL1",
    "Regularizer",
]
