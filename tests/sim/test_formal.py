import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Fragment, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright_hw.queue import Queue
from spikewright_sim.formal import __main__ as command
from spikewright_sim.formal.__main__ import claim, main
from spikewright_sim.formal.catalogue import PROOFS
from spikewright_sim.formal.prove import Proof, Verdict, mutations, prove
from spikewright_sim.formal.stage import Stage

QUICK = [proof for proof in PROOFS if proof.quick]


@pytest.mark.parametrize("proof", QUICK, ids=[proof.name for proof in QUICK])
def test_component_is_proven_and_a_broken_one_is_not(proof: Proof, tmp_path: Path) -> None:
    verdict = prove(proof, tmp_path)
    assert verdict.passed, verdict.reason
    # Some faults change nothing that counts; the first that does is enough here, `make formal` counts them.
    faults = mutations(proof, tmp_path, 6, seed=1)
    assert len(faults) == 6
    broken = (prove(proof, tmp_path, mutation=fault, cover=False) for fault in faults)
    reason = next(verdict.reason for verdict in broken if not verdict.passed)
    assert reason.startswith("Assert failed: ")


def test_what_cannot_happen_is_no_proof(tmp_path: Path) -> None:
    def never() -> Stage:
        dut = Queue(1, depth=2)
        stage = Stage(dut)
        stage.sink(dut.o)
        stage.reachable(dut.o.valid, "something comes although nothing is put in")
        return stage

    verdict = prove(Proof("never", never, "bounded", 4, 4), tmp_path)
    assert not verdict.passed
    assert verdict.reason.startswith("Unreached cover statement: ")


def test_registers_start_with_anything(tmp_path: Path) -> None:
    class Remembers(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"x": Out(1), "y": In(1)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            kept = Signal(reset_less=True)
            m.d.comb += self.x.eq(kept | (self.y & 0))
            m.d.sync += kept.eq(kept)
            return m

    def zero() -> Stage:
        dut = Remembers()
        stage = Stage(dut)
        stage.claim(~dut.x, "an initial value counts")
        return stage

    assert not prove(Proof("zero", zero, "bounded", 3, 1), tmp_path).passed


def test_names_of_registers_are_checked() -> None:
    stage = Stage(Queue(1, depth=2))
    Fragment.get(stage.m, None)  # Amaranth warns of what is never used
    with pytest.raises(KeyError) as error:
        stage.inner("levels")
    assert error.value.args == ("levels must be a register or signal of the component, but there is none",)


def test_every_proof_says_what_it_claims() -> None:
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)
    for proof in PROOFS:
        assert claim(proof).startswith("`"), proof.name
        assert claim(proof).endswith("."), proof.name


def test_what_is_only_tested_is_told_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "prove", lambda proof, folder: Verdict(False, 1.0, "refuted"))
    assert main(["StepJoin"]) == 1
    printed = capsys.readouterr().out
    assert "StepJoin, 2 rows, 2 lanes" in printed
    assert "    refuted\n" in printed
    assert (
        "\nnot proven, only tested:\n    the core as a whole: spikes, membranes, scores, cycles: simulation" in printed
    )
    assert printed.endswith("\n0 of 2 proven\n")


def test_an_unknown_proof_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Nothing"]) == 2
    assert capsys.readouterr().err.startswith("names must be of Queue, depth 2, ")


def test_command_is_documented() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "spikewright_sim.formal", "--help"], capture_output=True, text=True, check=True
    )
    assert "see every proof fail on broken components" in " ".join(result.stdout.split())
