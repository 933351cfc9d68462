"""Public names of `spikewright.learn.recipe`, where the package itself imports them from."""

from spikewright.learn.recipe import make_optimizer, rate_factor

__all__ = [
    "make_optimizer",
    "rate_factor",
]
