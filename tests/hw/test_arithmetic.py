import random
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from component_bench import play

from random_networks import TAU_1_05, TAU_2
from spikewright.contract.decay import Decay
from spikewright.contract.integers import unsigned_bits
from spikewright_hw.arithmetic import following, leak


class Leak(wiring.Component):
    """The leak of `v`, with a bias, in a register."""

    def __init__(self, decay: Decay, bits: int) -> None:
        self._decay = decay
        super().__init__({"v": In(signed(bits)), "bias": In(signed(bits - 2)), "o": Out(signed(bits + 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(leak(self.v, self._decay, self.bias))
        return m


@pytest.mark.parametrize(
    "decay", [TAU_1_05, TAU_2, Decay(0, 4), Decay(16, 4), Decay(1, 0), Decay(15, 4), Decay(2731, 12), Decay(65521, 16)]
)
def test_leak_floors_like_the_model(decay: Decay) -> None:
    bits = 11
    dut = Leak(decay, bits)
    rng = random.Random(decay.multiplier)
    limit = 1 << (bits - 1)
    values = [-limit, -limit + 1, -2, -1, 0, 1, 2, limit - 1, *(rng.randrange(-limit, limit) for _ in range(100))]
    biases = [rng.randrange(-limit // 4, limit // 4) for _ in values]

    def each(get: Any, put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.v, (values + [0])[cycle])
        put(dut.bias, (biases + [0])[cycle])

    seen = play(dut, len(values) + 1, each=each, watch={"o": dut.o})
    assert seen.watched["o"][1:] == [decay(v) + bias for v, bias in zip(values, biases, strict=True)]


class Counter(wiring.Component):
    """Counts round and round."""

    def __init__(self, count: int) -> None:
        self._count = count
        super().__init__({"o": Out(unsigned_bits(count - 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(following(self.o, self._count))
        return m


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9])
def test_counting_begins_again(count: int) -> None:
    dut = Counter(count)
    seen = play(dut, 3 * count, watch={"o": dut.o}).watched["o"]
    assert seen == 3 * list(range(count))


def test_a_power_of_two_wraps_by_itself() -> None:
    assert "==" not in repr(following(Signal(3), 8))
    assert "==" in repr(following(Signal(3), 7))
