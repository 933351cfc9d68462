"""Public names of `spikewright.learn.networks`, where the package itself imports them from."""

from spikewright.learn.networks import SpikingLayer, SpikingNetwork, Trace

__all__ = [
    "SpikingLayer",
    "SpikingNetwork",
    "Trace",
]
