"""Amaranth components of the Spikewright core, and its Verilog output."""
