"""Circuits of neurons, each in a module of its own: see `spikewright_hw.neuron`."""
