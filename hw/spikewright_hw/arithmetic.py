"""Products with constants as sums of shifts, leaks made of them, and counting round and round."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux

from spikewright.contract.decay import Decay, signed_digits


def leak(v: Any, decay: Decay, bias: Any) -> Any:
    """`(v * multiplier >> shift) + bias` of signed values.

    The bias joins the sum before the shift, which takes nothing from it: a sum of several terms is one carry chain in
    yosys, and a sum of what was shifted another one behind it.
    """
    product: Any = bias.shift_left(decay.shift)
    for sign, exponent in reversed(signed_digits(decay.multiplier)):
        term = v.shift_left(exponent)
        product = product + term if sign > 0 else product - term
    return product.shift_right(decay.shift)


def leak_by(v: Any, multiplier: Any, shift: int, bias: Any) -> Any:
    """The same, of a multiplier that is a signal: a multiplication in place of some additions."""
    return (bias.shift_left(shift) + v * multiplier).shift_right(shift)


def times(v: Any, constant: int) -> Any:
    """`v * constant` of an unsigned value and a constant of at least 1, by shifts: a multiplier may become a block."""
    product: Any = 0
    for sign, exponent in reversed(signed_digits(constant)):
        term = v.shift_left(exponent)
        product = product + term if sign > 0 else product - term
    return product


def following(number: Any, count: int) -> Any:
    """What a register holds next that counts 0 .. count - 1, round and round; a power of two wraps by itself."""
    after = number + 1
    return after[: len(number)] if count == 1 << len(number) else Mux(number == count - 1, 0, after)
