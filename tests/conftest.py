import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# Each worker, and each command that it starts, has one core: torch with as many threads as there are cores makes them
# wait for each other, and small tensors take ten times as long. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if threading.current_thread() is threading.main_thread():
    # Shells start jobs in the background with SIGINT ignored, and nohup ignores SIGHUP: what ignores a signal when it
    # starts cannot be interrupted by it.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)

LONGEST = [
    "sim/test_runner.py", "boards/flow/test_bitstream.py", "hw/test_core.py", "test_read_only.py",
    "sim/native/test_loop.py", "sim/test_formal.py", "boards/asic/test_flow.py", "sw/test_killed.py",
    "sim/test_netlist.py", "sim/test_kit.py", "hw/test_shared.py", "test_readme.py", "sim/test_mutants.py",
    "sim/test_runner_loadable.py", "sim/bench/test_layer.py", "sw/sweep/test_run.py",
    "boards/link/test_core_on_a_line.py", "sim/test_extra_encoding.py", "sim/test_runner_shared.py",
]  # fmt: skip
"""Files that take longest go first, so that no worker is left with one of them when all others are through."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    if missing := [str(path) for path in places if not path.is_file()]:
        raise pytest.UsageError(f"LONGEST names files that are not there: {', '.join(missing)}")
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """Amaranth makes a million objects a core: all that torch and the tests have is not looked through each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with the real recordings and the reference traces, which are not part of the repository."""
    root = Path(os.environ.get("SPIKEWRIGHT_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"needs the development data in {root} (set SPIKEWRIGHT_SHARED)")
    return root


@pytest.fixture(scope="session", autouse=True)
def simulations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is compiled is kept for all tests of a session, those of other workers included, and not for the user."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKEWRIGHT_SIMULATIONS", str(folder / "simulations"))
        yield
