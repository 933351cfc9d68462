"""A board that is none: its very top level around the core, compiled by Verilator, behind a pseudo-terminal."""
