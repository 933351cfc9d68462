"""Style of the whole repository: lint, types, and nothing of the machine it was written on."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> None:
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


def test_lint() -> None:
    run("ruff", "check", "--quiet")


def test_format() -> None:
    run("ruff", "format", "--check", "--quiet")


def test_types() -> None:
    run("mypy", "--no-error-summary")


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout, to know which files are part of the repository")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_no_machine_paths() -> None:
    forbidden = [f"/{folder}/".encode() for folder in ("work", "tmp", "root", "home")]
    files = tracked()
    assert ROOT / "pyproject.toml" in files
    found = []
    for path in files:
        content = path.read_bytes()
        found += [f"{path.relative_to(ROOT)}: {word.decode()}" for word in forbidden if word in content]
    assert not found


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix == ".py" and (lines := path.read_bytes().count(b"\n")) > 600
    }
    assert not long


def test_text_ends_with_a_newline() -> None:
    text = [path for path in tracked() if path.suffix in (".py", ".md", ".toml", ".v", ".txt") and path.stat().st_size]
    assert text
    assert not [path.relative_to(ROOT) for path in text if not path.read_bytes().endswith(b"\n")]
