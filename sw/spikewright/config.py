"""Public names of `spikewright.learn.config`, where the package itself imports them from."""

from spikewright.learn.config import *  # noqa: F403 - those of its __all__
from spikewright.learn.config import __all__ as __all__
