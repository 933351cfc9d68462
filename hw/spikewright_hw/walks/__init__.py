"""Walks, each in a module with the name of its encoding: see `spikewright_hw.walk`."""
