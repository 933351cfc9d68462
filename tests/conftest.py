import os
import signal
import threading
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # Shells start jobs in the background with SIGINT ignored, and what ignores it when it starts cannot be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with the real recordings and the reference traces, which are not part of the repository."""
    root = Path(os.environ.get("SPIKEWRIGHT_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"needs the development data in {root} (set SPIKEWRIGHT_SHARED)")
    return root
