"""The commands, in the order of the pipeline. These modules import the rooms only when they run."""

from spikewright.commands import data, demo, evaluate, generate, quantize, report, simulate, sweep, synth, train

COMMANDS = (data, train, sweep, report, evaluate, quantize, generate, simulate, synth, demo)
