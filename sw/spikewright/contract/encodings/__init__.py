"""Encodings of the positions of synapses, each in a module of its own: see `spikewright.contract.encoding`."""
