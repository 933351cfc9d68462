"""Neurons in integers, each in a module of its own: see `spikewright.contract.neuron`."""
