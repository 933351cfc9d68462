import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with the real recordings and the reference traces, which are not part of the repository."""
    root = Path(os.environ.get("SPIKEWRIGHT_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"needs the development data in {root} (set SPIKEWRIGHT_SHARED)")
    return root
