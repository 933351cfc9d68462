"""What shells complete, in those that are installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from spikewright.cli.completion import SHELLS
from spikewright.cli.main import main

BASH = """
source ./script
for words in "$@"; do
  COMP_WORDS=(spikewright $words)
  [[ $words == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
  _shtab_spikewright 2>/dev/null  # which tells that nobody is typing
  echo "${COMPREPLY[@]}"
done
"""
FISH = "source ./script; for words in $argv; complete -C \"spikewright $words\" | string match -r '^[^\\t]*' | sort | "
FISH += "string join ' '; end"

COMPLETIONS = {
    "tr": "train",
    "data fe": "fetch",
    "data fetch s": "shd ssc",
    "train shd": "shd shd-small shd-teacher",
    "train ne": "net.toml",
    "train shd --dat": "--data",
    "train shd --data sa": "sample",
    "train shd --device c": "cpu cuda cuda-graph",
    "evaluate synth": "synth-full synth-small",
    "evaluate mo": "model.safetensors",
    "synth build --board ulx3s": "ulx3s-12f ulx3s-25f ulx3s-45f ulx3s-85f",
    "completion z": "zsh",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.toml").touch()
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("shell", "options"), [("bash", ["--norc", "-c", BASH, "bash"]), ("fish", ["--no-config", "-c", FISH])]
)
def test_a_shell_completes(shell: str, options: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if (program := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    (folder / "script").write_text(script(shell, capsys))
    command = [program, *options, *COMPLETIONS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert dict(zip(COMPLETIONS, done.stdout.splitlines(), strict=True)) == COMPLETIONS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_all_commands_in_a_line_each(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    assert "checkpoints" in text and "--weight-bits" in text and "shd-teacher" in text
    # Of the long explanations of `--help`, only the first line.
    assert "Trains a spiking network" not in text
    assert main(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"] + "\n" == text
