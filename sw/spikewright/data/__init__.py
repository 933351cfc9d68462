"""Spike recordings: the SHD file format, its statistics, and synthetic spoken digits in the same format."""
