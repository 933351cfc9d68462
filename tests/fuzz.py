"""`make fuzz`: random networks through Verilog without end; what fails becomes a file in `tests/cases`.

    python tests/fuzz.py [--examples N] [--minutes M] [--jobs J] [--seed S] [--neurons N] [--lanes L]

Every example draws a network and samples (`strategies.cases`), generates its core, compiles it with Verilator and runs
it as `strategies.mismatches` says; a core that is loaded at run time is loaded with up to two more networks. A failure
is shrunk, saved, and replayed by the test suite from then on. Exit status 1 if anything failed. Fewer neurons and
lanes make an example cheaper, which costs 6 seconds of a processor in the mean as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, Phase, assume, given, seed, settings

from spikewright.contract.names import LANES
from strategies import Case, Distinct, cases, describe, mismatches

CASES = Path(__file__).with_name("cases")
SHARE = 25
"""Examples of one round; a round draws from a seed of its own."""
SHRINKING_SECONDS = 300


def keep(case: Case) -> Path:
    """Save a case under the hash of its content."""
    CASES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CASES) as name:
        path = Path(name, "case.safetensors")
        case.save(path)
        return path.rename(CASES / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}.safetensors")


def rounds(number: int, examples: int, until: float, neurons: int, lanes: int) -> tuple[int, int, list[str]]:
    """Run a round of examples of at most so many neurons and lanes; how many cores and networks ran, and what failed.

    Cores of a round that time cut short count as far as they ran.
    """
    cores = networks = 0
    distinct = Distinct()
    smallest: tuple[Case, list[str]] | None = None
    failed_at = 0.0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(most_neurons=neurons, most_lanes=lanes))
    def check(case: Case) -> None:
        nonlocal cores, networks, smallest, failed_at
        now = time.monotonic()
        if now > until or (failed_at and now > failed_at + SHRINKING_SECONDS):
            return  # time is up: all that is left passes
        assume(failed_at or distinct(case))
        with tempfile.TemporaryDirectory(prefix="spikewright-fuzz-") as name:
            try:
                found = mismatches(case, Path(name))
            except Exception as error:  # a crash of the generator or the simulator is a failure too
                found = [f"{type(error).__name__}: {error}"]
        cores += 1
        networks += len(case.networks)
        if found:
            smallest = case, found
            failed_at = failed_at or now
            raise AssertionError(found[0])

    try:
        check()
    except Exception:  # the failure, or what Hypothesis says of one that time cut short
        if smallest is None:
            raise
    if smallest is None:
        return cores, networks, []
    case, found = smallest
    return cores, networks, [f"{keep(case)}: {describe(case)}: {found[0]}"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Random networks through Verilog, compared with the PyTorch model.")
    parser.add_argument("--examples", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first round (default: %(default)s)")
    parser.add_argument("--neurons", type=int, default=40, help="most in a layer (default: %(default)s)")
    parser.add_argument("--lanes", type=int, choices=LANES, default=LANES[-1], help="at most (default: %(default)s)")
    args = parser.parse_args()
    begin = time.monotonic()
    until = begin + 60 * args.minutes
    cores, networks, failures = 0, 0, []
    with tempfile.TemporaryDirectory(prefix="spikewright-fuzz-") as name:
        # Verilator's own objects are compiled once, by the first example, for all; no core is met twice.
        os.environ.setdefault("SPIKEWRIGHT_SIMULATIONS", str(Path(name, "simulations")))
        os.environ["OMP_NUM_THREADS"] = "1"
        counts = [min(SHARE, args.examples - k) for k in range(0, args.examples, SHARE)]
        with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            size = args.neurons, args.lanes
            futures = [pool.submit(rounds, args.seed + k, count, until, *size) for k, count in enumerate(counts)]
            for future in futures:
                more_cores, more_networks, found = future.result()
                cores, networks = cores + more_cores, networks + more_networks
                failures += found
                for line in found:
                    print(f"FAILED {line}", flush=True)
                seconds = time.monotonic() - begin
                done = f"{networks} networks on {cores} cores"
                print(f"{done} in {seconds:.0f} s, {len(failures)} failures", file=sys.stderr, flush=True)
    print(f"{done}, {len(failures)} failures, seeds {args.seed} to {args.seed + len(counts) - 1}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
