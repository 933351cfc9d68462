"""`spikewright completion`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command

SHELLS = ("bash", "zsh", "fish")
FOLDERS = ("DIR", "OUT_DIR", "RUN_DIR", "BUILD_DIR", "RUNS")
"""What the help calls an argument that is a folder; any other path is completed as a file."""


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "completion",
        run,
        summary="what a shell needs to complete commands and options",
        details="Prints a script that completes commands, options, their choices, files and what is shipped.\n"
        "It starts no Python. Keep it where the shell looks for it, and again after an update:\n\n"
        "  bash  spikewright completion bash > ~/.local/share/bash-completion/completions/spikewright\n"
        "  zsh   spikewright completion zsh > ~/.zfunc/_spikewright   (a folder of $fpath, before compinit)\n"
        "  fish  spikewright completion fish > ~/.config/fish/completions/spikewright.fish",
        example="spikewright completion bash",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="one of %(choices)s")


def run(args: argparse.Namespace) -> Outcome:
    script = completion(args.all_commands, args.shell)
    return Outcome({"shell": args.shell, "script": script}, text=script)


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script by which a shell completes the command line of a parser, whose descriptions are shortened."""
    import shtab

    from spikewright.support.shipped import SAMPLE_NAME, checkpoints, configs

    shipped = {"CONFIG": list(configs()), "CHECKPOINT": checkpoints(), "CHECKPOINT_OR_MODEL": checkpoints()}
    for each in _parsers(parser):
        # The whole text of `--help` is no description of one command among others.
        each.description = (each.description or "").partition("\n")[0]
        for action in each._actions:  # noqa: SLF001 - as shtab does
            name = str(action.metavar)
            if name in shipped:
                action.complete = _named(name, shipped[name], folders=False)  # type: ignore[attr-defined]
            elif action.dest == "data":
                action.complete = _named("DATA", [SAMPLE_NAME], folders=True)  # type: ignore[attr-defined]
            elif action.type is Path:
                action.complete = shtab.DIRECTORY if name in FOLDERS else shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands."""
    yield parser
    for action in parser._actions:  # noqa: SLF001 - as shtab does
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _parsers(command)


def _named(kind: str, names: list[str], *, folders: bool) -> dict[str, Any]:
    """Completes some names, and files or folders; bash knows from the function's name that there are files."""
    function, words = f"_spikewright_{kind}_file", " ".join(names)
    fish = "__fish_complete_directories" if folders else "__fish_complete_path (commandline -ct)"
    return {
        **{"bash": function, "zsh": function, "fish": f"({function})"},
        "preamble": {
            "bash": f'{function}() {{ compgen -W "{words}" -- $1; compgen -{"d" if folders else "f"} -- $1; }}',
            "zsh": f"{function}() {{ compadd -- {words}; _files{' -/' if folders else ''} }}",
            "fish": f"function {function}; printf '%s\\n' {words}; {fish}; end",
        },
    }
