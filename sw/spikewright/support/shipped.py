"""What is shipped with the package, and the names by which it is given where a file or a folder is asked for."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from spikewright.contract.errors import InputError, suggestion

SAMPLE = "synth_sample.h5"
SAMPLE_NAME = "sample"
"""Of the shipped recordings, in place of a folder."""
_CHECKPOINT = ".safetensors"


def asset(name: str) -> Path:
    """A file that is shipped with the package."""
    path = Path(str(resources.files("spikewright") / "assets" / name))
    if not path.is_file():
        raise InputError(f"installation of spikewright must have {path}, not lack it: install it again")
    return path


def checkpoints() -> list[str]:
    """Names of the checkpoints that come with the package."""
    folder = resources.files("spikewright") / "assets"
    return sorted(item.name.removesuffix(_CHECKPOINT) for item in folder.iterdir() if item.name.endswith(_CHECKPOINT))


def about_checkpoint(name: str) -> str:
    """What a shipped checkpoint is, in one line: the first one of its card that is no heading."""
    lines = asset(f"{name}.md").read_text("utf-8").splitlines()
    return next(line for line in lines if line and not line.startswith("#"))


def configs() -> dict[str, str]:
    """Names of the configurations that come with the package, and what each is in one line: its first comment."""
    folder = resources.files("spikewright") / "configs"
    files = {item.name.removesuffix(".toml"): item for item in folder.iterdir() if item.name.endswith(".toml")}
    return {name: files[name].read_text("utf-8").partition("\n")[0].lstrip("# ") for name in sorted(files)}


def config_text(name: str) -> str:
    """The TOML file of a shipped configuration, one of `configs`."""
    return (resources.files("spikewright") / "configs" / f"{name}.toml").read_text("utf-8")


def checkpoint_path(path: Path | str) -> Path:
    """The file of a checkpoint that is given by its path, or by its name if it is shipped.

    What has that name in the working folder is taken first. `NAME.safetensors` is the same name.

    Raises
    ------
    InputError
        If a name without a folder is neither.
    """
    named, known = Path(path), checkpoints()
    name = str(path).removesuffix(_CHECKPOINT)
    if named.exists() or named.name != str(path):
        return named
    if name in known:
        return asset(name + _CHECKPOINT)
    near = suggestion(name, known)
    raise InputError(f"checkpoint must be a file or one of {', '.join(known)}, not {path}{near}")


def is_sample(data_dir: str | os.PathLike[str]) -> bool:
    """Whether the shipped recordings are meant, not a folder; one of their name is taken first.

    Raises
    ------
    InputError
        If a name without a folder is neither.
    """
    path = Path(data_dir)
    if path.exists() or path.name != os.fspath(data_dir):
        return False
    if path.name != SAMPLE_NAME:
        near = suggestion(path.name, [SAMPLE_NAME])
        raise InputError(f"data must be a folder or {SAMPLE_NAME}, the shipped recordings, not {data_dir}{near}")
    return True
