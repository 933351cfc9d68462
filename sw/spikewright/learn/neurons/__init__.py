"""Neurons in floating point, each in a module of its own: see `spikewright.learn.neuron`."""
