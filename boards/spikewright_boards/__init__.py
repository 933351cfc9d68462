"""Boards: top levels, synthesis flows and their reports."""
