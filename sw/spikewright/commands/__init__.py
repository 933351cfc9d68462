"""The commands, in the order of the pipeline. These modules import the rooms only when they run."""

from spikewright.commands import data, demo, evaluate, generate, quantize, simulate, synth, train

COMMANDS = (data, train, evaluate, quantize, generate, simulate, synth, demo)
