import struct
from itertools import pairwise

import numpy as np
import pytest
import torch

from spikewright.contract.integers import signed_bits
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import pack
from spikewright_sim.mutants import (
    AHEAD,
    ALONE,
    CUT,
    PAUSES,
    SLOW,
    Cell,
    describe,
    even_and_odd,
    even_network,
    is_the_same,
    main,
    parse_cells,
    small_network,
    stimulus,
)

STREAM = {"axon_bits": 3, "value_bits": 2, "mark_bit": 5}


def test_membranes_and_scores_of_the_small_network_fill_their_widths() -> None:
    network = small_network()
    core = pack(network, 2)
    rng = np.random.default_rng(1)
    strong = np.full((1, network.timesteps, network.inputs), (1 << network.value_bits) - 1)
    weak = rng.integers(0, 4, (200, network.timesteps, network.inputs)) * (rng.random((200, 1, 1)) > 0.5)
    trace = IntegerNetwork(network).run(torch.from_numpy(np.concatenate([strong, weak])))
    for index, v in enumerate(trace.membranes):
        assert signed_bits(int(v.min()), int(v.max())) == core.state_bits(index)
    assert signed_bits(int(trace.scores.min()), int(trace.scores.max())) == core.score_bits
    # All but one of the neurons come to fire.
    assert sum(int((spikes == 0).all(dim=(0, 1)).sum()) for spikes in trace.spikes) <= 1


@pytest.mark.parametrize("recurrent", [0, 1])
def test_every_neuron_of_the_even_network_comes_to_the_ends_of_its_widths(recurrent: int) -> None:
    network = even_network(recurrent=recurrent)
    core = pack(network, 4, layers="slotted")
    rng = np.random.default_rng(1)
    rates = rng.random((300, 10, network.inputs))
    weak = rng.integers(0, 4, rates.shape) * (rng.random((300, 1, 1)) > rates)
    trace = IntegerNetwork(network).run(torch.from_numpy(np.concatenate([even_and_odd(network), weak])))
    for index, v in enumerate(trace.membranes):
        lowest = v.amin(dim=(0, 1))
        assert {signed_bits(low, 0) for low in lowest.tolist()} == {core.state_bits(index)}
    for scores in (trace.scores.amin(dim=0), trace.scores.amax(dim=0)):
        assert {signed_bits(int(min(score, 0)), int(max(score, 0))) for score in scores} == {core.score_bits}
    assert np.bincount(trace.classes, minlength=6).min() > 0
    for slots in core.slots:
        assert 0 < (slots.present == 0).sum() <= 2


def test_stimulus_is_what_the_regression_plays() -> None:
    data = stimulus(small_network(), STREAM)
    samples = []
    while data:
        flags, count = struct.unpack_from("<II", data)
        samples.append((flags, struct.unpack_from(f"<{count}Q", data, 8)))
        data = data[8 + 8 * count :]
    kinds = {flags & 255 for flags, _ in samples}
    alone = {ALONE, ALONE | AHEAD, ALONE | PAUSES, CUT, CUT | PAUSES}
    assert kinds == {*alone, 0, AHEAD, PAUSES, PAUSES | AHEAD, SLOW, SLOW | AHEAD, PAUSES | SLOW}
    # The next sample follows at once; it neither waits for an idle core nor is it cut off.
    for (flags, _), (following, _) in pairwise(samples):
        assert not (flags & AHEAD and following & (ALONE | CUT))
    assert not samples[-1][0] & AHEAD
    assert all((flags >> 8 > 0) == bool(flags & CUT) for flags, _ in samples)
    for _, beats in samples:
        ends = [beat >> 63 for beat in beats]
        assert ends.count(1) == 1
        assert ends[-1] == 1
    marks = [sum(beat >> STREAM["mark_bit"] & 1 for beat in beats) for _, beats in samples]
    assert max(marks) > small_network().timesteps  # a step too many


def test_a_mutant_is_described_by_its_signal() -> None:
    line = "mutate -mode inv -module core -cell $flatten\\lane.$add$7 -port Y -portbit 1 -wire lane.sum -wirebit 3"
    assert describe(line) == "inv of lane.sum[3] at \\lane.$add$7.Y"
    line = "mutate -mode const0 -module core -cell $auto$3 -port A -portbit 2 -src core.v:5.1-5.9"
    assert describe(line) == "const0 of $auto$3.A[2] at $auto$3.A"


def cell(kind: str, constant: str, width: int) -> dict[str, Cell]:
    other = f"    connect \\B {len(constant)}'{constant}\n" if constant else ""
    return parse_cells(f"  cell ${kind} $7\n    parameter \\A_WIDTH {width}\n    connect \\A \\level\n{other}  end\n")


def change(mode: str, port: str, bit: int, control: int | None = None) -> str:
    controlled = "" if control is None else f" -ctrlbit {control}"
    return f"mutate -mode {mode} -module core -cell $7 -port {port} -portbit {bit}{controlled} -src core.v:5.1-5.9"


def test_cells_are_parsed() -> None:
    assert cell("add", "01", 3) == {"$7": Cell("$add", {"A_WIDTH": 3}, {"B": "10"})}


def test_a_constant_tied_to_its_value_is_no_mutant() -> None:
    cells = cell("add", "01", 2)
    assert is_the_same(change("const1", "B", 0), cells)
    assert is_the_same(change("const0", "B", 1), cells)
    assert not is_the_same(change("const0", "B", 0), cells)
    assert not is_the_same(change("const1", "A", 0), cells)


def test_constants_beside_wires_are_known() -> None:
    text = "  wire width 3 \\sum\n  cell $or $7\n    connect \\B { 1'1 \\sum \\copy.q [5:4] \\some 2'10 }\n  end\n"
    cells = parse_cells(text)
    assert cells["$7"].constants == {"B": "01------1"}
    assert is_the_same(change("const1", "B", 8), cells)
    assert not is_the_same(change("const1", "B", 0), cells)
    assert not is_the_same(change("const0", "B", 2), cells)


@pytest.mark.parametrize(
    ("kind", "constant", "mode", "bit", "control", "same"),
    [
        ("eq", "100", "cnot0", 1, 2, True),  # below 4 nothing equals 4
        ("eq", "100", "cnot1", 1, 2, False),
        ("eq", "100", "inv", 1, None, False),
        ("eq", "100", "const0", 1, None, False),  # 6 would equal 4
        ("ne", "100", "cnot0", 1, 2, True),
        ("le", "001", "cnot1", 0, 1, True),  # 2 and 3 are both above 1
        ("le", "001", "cnot0", 0, 1, True),  # 0 and 1 are not
        ("le", "000", "cnot0", 0, 1, False),
        ("gt", "011", "const1", 0, None, True),
        ("add", "100", "cnot0", 1, 2, False),
        ("eq", "10x", "cnot0", 1, 2, False),
        ("reduce_or", "", "cnot1", 1, 0, True),  # another bit is set
        ("reduce_or", "", "cnot0", 1, 0, False),
        ("reduce_and", "", "cnot0", 1, 0, True),  # another bit is not
        ("reduce_and", "", "const1", 1, None, False),
        ("logic_not", "", "cnot1", 2, 0, True),
        ("reduce_xor", "", "cnot1", 1, 0, False),
    ],
)
def test_a_comparison_that_gives_the_same_for_all_numbers_is_no_mutant(
    kind: str, constant: str, mode: str, bit: int, control: int | None, same: bool
) -> None:
    assert is_the_same(change(mode, "A", bit, control), cell(kind, constant, 3)) == same


def test_a_core_with_two_events_a_beat_is_given_bad_pairs() -> None:
    stream = {"axon_bits": 5, "value_bits": 2, "mark_bit": 7, "events": 2}
    one, two = (stimulus(small_network(), {**stream, "events": events}) for events in (1, 2))
    assert len(two) < len(one)  # pairs take fewer beats
    kinds = set()
    while two:
        _, count = struct.unpack_from("<II", two)
        for beat in struct.unpack_from(f"<{count}Q", two, 8):
            (axon, value), (other, second) = (((beat >> k) & 31, (beat >> k + 5) & 3) for k in (0, 8))
            if not beat >> 7 & 1 and second:
                kinds.add((value > 0, other <= axon, other >= 24))
        two = two[8 + 8 * count :]
    # Good ones, with an axon that is too low, with one that there is not, and alone in their beat.
    assert kinds >= {(True, False, False), (True, True, False), (True, False, True), (False, False, False)}


def test_too_many_mutants_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "4096"]) == 2
    assert capsys.readouterr().err == "spikewright: error: --count must be 1 .. 4095, not 4096\n"
