"""Simulation of generated cores: cocotb benches on Verilator, compared with the PyTorch model."""
