"""`python -m spikewright_sim.formal`: prove everything, and see every proof fail on broken components."""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
from pathlib import Path

from spikewright.support.streams import exit_with
from spikewright_sim.formal.catalogue import ONLY_TESTED, PROOFS
from spikewright_sim.formal.prove import ENGINE, Proof, mutations, prove
from spikewright_sim.mutants import describe


def claim(proof: Proof) -> str:
    """What a proof says, from the docstring of its harness."""
    function = getattr(proof.stage, "func", proof.stage)
    return (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")


def main(argv: list[str] | None = None) -> int:
    """Prints a table; returns 0 if all is proven and every proof finds a fault."""
    parser = argparse.ArgumentParser(prog="python -m spikewright_sim.formal", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="proofs whose name begins so (default: all)")
    parser.add_argument("--mutants", type=int, default=4, metavar="N", help="broken components per proof (default: 4)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the faults (default: 1)")
    args = parser.parse_args(argv)
    chosen = [proof for proof in PROOFS if not args.names or proof.name.startswith(tuple(args.names))]
    if not chosen:
        print(f"names must be of {', '.join(proof.name for proof in PROOFS)}", file=sys.stderr)
        return 2
    print(f"engine: {ENGINE}\n")
    good = 0
    for proof in chosen:
        with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
            folder = Path(name)
            verdict = prove(proof, folder)
            faults = mutations(proof, folder, args.mutants, args.seed) if verdict.passed else []
            missed = [fault for fault in faults if prove(proof, folder, mutation=fault, cover=False).passed]
        found = len(faults) - len(missed)
        good += verdict.passed and (found > 0 or not faults)
        depth = f"{proof.method}, {proof.depth} cycles"
        print(f"{proof.name:32} {'proven' if verdict.passed else 'FAILED'}  {depth:20} {verdict.seconds:6.1f} s")
        print(f"    {claim(proof)}")
        print(
            f"    {verdict.reason or f'{found} of {len(faults)} faults in the component break the proof'}", flush=True
        )
        for fault in missed:
            print(f"    not noticed: {describe(fault)}", flush=True)
    print("\nnot proven, only tested:")
    for what, how in ONLY_TESTED:
        print(f"    {what}: {how}")
    print(f"\n{good} of {len(chosen)} proven")
    return 0 if good == len(chosen) else 1


if __name__ == "__main__":
    exit_with(main)
