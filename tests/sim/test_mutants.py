import struct
from itertools import pairwise

import numpy as np
import pytest
import torch

from spikewright.arrays import signed_bits
from spikewright.integer import IntegerNetwork
from spikewright.pack import pack
from spikewright_sim.mutants import (
    AHEAD,
    ALONE,
    CUT,
    PAUSES,
    SLOW,
    constant_ports,
    describe,
    is_the_same,
    main,
    small_network,
    stimulus,
)

STREAM = {"axon_bits": 3, "value_bits": 2, "mark_bit": 5}


def test_membranes_and_scores_of_the_small_network_fill_their_widths() -> None:
    network = small_network()
    core = pack(network, 2)
    rng = np.random.default_rng(1)
    strong = np.full((network.timesteps, 1, network.inputs), (1 << network.value_bits) - 1)
    weak = rng.integers(0, 4, (network.timesteps, 200, network.inputs)) * (rng.random((1, 200, 1)) > 0.5)
    trace = IntegerNetwork(network).run(torch.from_numpy(np.concatenate([strong, weak], axis=1)))
    for index, v in enumerate(trace.membranes):
        assert signed_bits(int(v.min()), int(v.max())) == core.state_bits(index)
    assert signed_bits(int(trace.scores.min()), int(trace.scores.max())) == core.score_bits
    # All but one of the neurons come to fire.
    assert sum(int((spikes == 0).all(dim=(0, 1)).sum()) for spikes in trace.spikes) <= 1


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
    change = "mutate -mode inv -module core -cell $flatten\\lane.$add$7 -port Y -portbit 1 -wire lane.sum -wirebit 3"
    assert describe(change) == "inv of lane.sum[3] at \\lane.$add$7.Y"
    change = "mutate -mode const0 -module core -cell $auto$3 -port A -portbit 2 -src core.v:5.1-5.9"
    assert describe(change) == "const0 of $auto$3.A[2] at $auto$3.A"


def test_a_constant_tied_to_its_value_is_no_mutant() -> None:
    constants = constant_ports(
        "  cell $add $add$7\n    parameter \\B_WIDTH 2\n    connect \\A \\level\n    connect \\B 2'01\n  end\n"
    )
    assert constants == {("$add$7", "B"): "10"}
    change = "mutate -mode const1 -module core -cell $add$7 -port B -portbit 0 -src core.v:5.1-5.9"
    assert is_the_same(change, constants)
    assert not is_the_same(change.replace("const1", "const0"), constants)
    assert not is_the_same(change.replace("-portbit 0", "-portbit 1"), constants)
    assert not is_the_same(change.replace("-port B", "-port A"), constants)


def test_too_many_mutants_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "4096"]) == 2
    assert capsys.readouterr().err == "spikewright: error: --count must be 1 .. 4095, not 4096\n"
