"""What a release would hold: one version, a wheel with all that commands need, the whole repository as sdist."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import spikewright

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BUILD = "import sys; from setuptools import build_meta as to; getattr(to, sys.argv[1])(sys.argv[2])"


def files(*folders: str) -> set[str]:
    """All files of the repository below these folders that are no by-products of running it."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    names = (path.relative_to(ROOT) for path in found)
    return {
        name.as_posix()
        for name in names
        if name.suffix != ".pyc" and not any(part == "__pycache__" or part.endswith(".egg-info") for part in name.parts)
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with sdist and wheel, built from a copy, as a build leaves its traces in the sources."""
    folder = tmp_path_factory.mktemp("release")
    caches = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info")
    made = {"build", "dist", "runs", "site"}
    shutil.copytree(
        ROOT,
        folder / "tree",
        ignore=lambda path, names: caches(path, names) | (made if Path(path) == ROOT else set()),
    )
    (folder / "dist").mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
    for kind in ("build_sdist", "build_wheel"):
        result = subprocess.run(
            [sys.executable, "-c", BUILD, kind, str(folder / "dist")],
            cwd=folder / "tree",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
    return folder / "dist"


def test_the_version_is_stated_once(built: Path) -> None:
    assert "version" in PROJECT["dynamic"]
    assert [path.name for path in sorted(built.iterdir())] == [
        f"spikewright-{spikewright.__version__}-py3-none-any.whl",
        f"spikewright-{spikewright.__version__}.tar.gz",
    ]
    assert re.search(rf"^## {re.escape(spikewright.__version__)} ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert not re.search(r"^version:", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)


def test_the_wheel_has_all_that_commands_need_and_no_more(built: Path) -> None:
    [path] = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert "spikewright = spikewright.cli.main:main" in wheel.read(entry_points).decode()
    expected = {name.partition("/")[2] for name in files("sw", "hw", "sim", "boards")}
    assert len(expected) > 150
    assert names == expected


def test_the_page_of_the_package_has_links_and_labels(built: Path) -> None:
    [path] = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith("METADATA")]
        metadata = HeaderParser().parsestr(wheel.read(name).decode())
    assert metadata["Author"] == "The Spikewright developers"
    assert metadata["License-Expression"] == "MIT"
    assert "FPGA" in metadata["Keywords"]
    assert {line.partition(",")[0] for line in metadata.get_all("Project-URL", [])} == set(PROJECT["urls"])
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    # Links of the README are followed on PyPI too, where nothing lies beside it.
    links = re.findall(r'\]\(([^)\s]+)\)|(?:src|srcset)="([^"]*)"', str(metadata.get_payload()))
    assert len(links) > 20
    assert [link for link in links if not "".join(link).startswith(("https://", "#"))] == []


def test_the_source_distribution_is_the_repository(built: Path) -> None:
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = {name.partition("/")[2]: mode for name, mode in ((item.name, item.mode) for item in archive)}
    folders = (".ci", "bench", "boards", "docs", "examples", "hw", "sim", "sw", "tests")
    single = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt"}
    single |= {"mkdocs.yml", "setup.py"}
    kept = {name for name in files(*folders) if not name.startswith("tests/cases/")}
    assert sorted((single | kept) - set(members)) == []
    assert members[".ci/run"] & 0o111
