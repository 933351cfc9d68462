"""The demo as in a container that runs as somebody without a home: a read-only installation, a read-only folder."""

import json
import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

import spikewright

ROOT = Path(spikewright.__file__).parents[2]
INSTALLED = [ROOT, Path(sys.prefix), *map(Path, site.getsitepackages())]
NAMESPACE = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
SCRIPT = r"""
set -e
for folder in "$@"; do mount --bind "$folder" "$folder"; mount -o remount,ro,bind "$folder"; done
cd "$1"
if touch here 2>/dev/null; then echo "$1 can be written" >&2; exit 3; fi
exec "$PYTHON" -m spikewright demo --json
"""


def test_the_demo_needs_neither_a_home_nor_a_writable_installation(tmp_path: Path) -> None:
    try:
        subprocess.run([*NAMESPACE, "mount", "--bind", tmp_path, tmp_path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs mount namespaces: {error}")
    paths = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    paths.setdefault("PYTHONPATH", os.pathsep.join(str(ROOT / room) for room in ("sw", "hw", "sim", "boards")))
    environment = {**paths, "HOME": "/proc/nope", "TMPDIR": str(tmp_path), "PYTHON": sys.executable}
    folders = [str(folder) for folder in INSTALLED if folder.is_dir()]
    command = [*NAMESPACE, "bash", "-c", SCRIPT, "bash", *folders]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    simulation = json.loads(done.stdout)["simulation"]
    assert (simulation["samples"], simulation["mismatches"], simulation["cycle_mismatches"]) == (5, 0, 0)
    assert list(tmp_path.glob("spikewright-*/spikewright/numba/*/*.nbc")), "what is compiled is kept"
    assert list(tmp_path.glob("spikewright-*/spikewright/simulations/*")), "the simulation too"
