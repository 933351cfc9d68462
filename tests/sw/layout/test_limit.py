from math import comb, log2

import pytest

from spikewright.layout.limit import bits_per_synapse


def test_the_limit_is_the_choice_of_places_and_the_weight():
    assert bits_per_synapse(100, 7, 8) == pytest.approx(log2(comb(100, 7)) / 7 + 8, rel=1e-9)


def test_where_all_are_taken_there_is_no_choice():
    assert bits_per_synapse(50, 50, 6) == pytest.approx(6)
