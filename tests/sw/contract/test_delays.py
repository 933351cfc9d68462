import numpy as np

from spikewright.contract.delays import DelayEntry, DelayPlan


def test_long_delays_come_first_in_the_program() -> None:
    plan = DelayPlan(np.array([7, 2, 2, 0, 2]), lanes=2)
    assert plan.program == [
        DelayEntry(7, 0, (0,)),
        DelayEntry(2, 0, (1,)),
        DelayEntry(2, 1, (0,)),
        DelayEntry(2, 2, (0,)),
        DelayEntry(0, 1, (1,)),
    ]
    assert (plan.entries, plan.slots, plan.ring_words) == (5, 8, 24)
