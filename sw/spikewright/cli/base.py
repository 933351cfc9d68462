"""What the commands share: their outcome, and the checked kinds of option values."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

from spikewright import __version__
from spikewright.contract.errors import suggestion
from spikewright.contract.shown import aligned
from spikewright.contract.shown import percent as percent  # for the commands
from spikewright.contract.shown import thousands as thousands
from spikewright.support.colour import paint


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Parameters
    ----------
    report : mapping
        What `--json` prints, behind the name of the document and the version of the package.
    rows : list of (label, value)
        The table that people read.
    failed : str, optional
        Why the check failed: one line on standard error, exit status 1.
    lacking : str, optional
        What this machine must have and has not: one line on standard error, exit status 2.
    marks : mapping
        Colours of words with which values begin, in a terminal.
    silent : bool
        Print nothing, as another process prints the same.
    text : str
        Printed for people instead of a table.
    """

    report: Mapping[str, Any]
    rows: list[tuple[str, str]] = field(default_factory=list)
    failed: str | None = None
    lacking: str | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    text: str = ""

    def table(self, stream: TextIO) -> str:
        """What people read, as it is written to a stream."""
        return self.text or "\n".join(aligned([(label, self._marked(value, stream)) for label, value in self.rows]))

    def _marked(self, value: str, stream: TextIO) -> str:
        word = value.partition(" ")[0]
        return paint(word, self.marks[word], stream) + value[len(word) :] if word in self.marks else value

    def document(self, schema: str) -> dict[str, Any]:
        """The JSON object of `--json`."""
        return {"schema": schema, "version": __version__, **self.report}


_HEADING = re.compile(r"^(usage|[a-z ]+(?=:$))", re.MULTILINE)
CONTINUES = "the same command continues it"


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line, as all errors of the command line, and tell what is nearly right."""

    def parse_known_args(  # type: ignore[override] # of two overloads, the one that is used
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = sys.argv[1:] if args is None else list(args)
        for word in self._own(words):
            name = word.partition("=")[0]
            if name.startswith("--") and " " not in name and name not in self._option_string_actions:
                # Told before what is missing, as that often is what was misspelt.
                self.error(f"unknown option {name}{suggestion(name, self._option_string_actions)}")
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f"unknown argument {rest[0]}")
        return found, rest

    def _own(self, words: Sequence[str]) -> Iterator[str]:
        """Words up to the command that another parser reads, or to `--`."""
        for word in words:
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):
                return
            yield word

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, not_among(str(value), map(str, action.choices)))

    def error(self, message: str) -> NoReturn:
        kind = paint("error", "red", sys.stderr)
        self.exit(2, f"spikewright: {kind}: {' '.join(message.split())} (see `{self.prog} --help`)\n")

    def print_help(self, file: Any = None) -> None:
        """Print the help, its headings bold in a terminal."""
        file = file or sys.stdout
        print(re.sub(_HEADING, lambda found: paint(found[0], "bold", file), self.format_help()), end="", file=file)


def not_among(given: str, known: Iterable[str]) -> str:
    """The message for a name that is none of those that are known."""
    known = list(known)
    return f"must be one of {', '.join(known)}, not {given!r}{suggestion(given, known)}"


Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives this type no public name


def add_command(
    subparsers: Subparsers[Parser],
    name: str,
    run: Callable[[argparse.Namespace], Outcome],
    *,
    summary: str,
    details: str,
    example: str,
    resumable: bool = False,
) -> Parser:
    """A subcommand with `--json`, whose help ends with an example.

    One that is `resumable` says so when it is interrupted.
    """
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{details.strip()}",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    schema = f"{parser.prog.replace(' ', '-')}-1"
    parser.set_defaults(run=run, schema=schema, continues=CONTINUES if resumable else "")
    return parser


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """Option type: a whole number from `low` to `high`, both included."""
    constraint = f"at least {low}" if high is None else f"{low} .. {high}"

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"must be {constraint}, not {text}")
        return value

    return convert


def megahertz(text: str) -> float:
    """Option type: a frequency above 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0 MHz, not {text}")
    return value


def assignment(text: str) -> tuple[str, str]:
    """Option type: `key=value`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"must be key=value, not {text!r}")
    return key.strip(), value.strip()


def add_data(parser: Parser, *, default: str | None = None) -> None:
    """`--data`, which must be given unless there is a `default`, in words."""
    parser.add_argument(
        "--data",
        type=Path,
        required=default is None,
        metavar="DIR",
        help="folder with the files of the network's data set, such as shd_train.h5 and shd_test.h5; or sample: the\n"
        "few recordings that are shipped, the same ones for every part"
        + ("" if default is None else f" (default: {default})"),
    )


def add_training(parser: Parser, out: str, *, help: str) -> None:
    """What is trained, CONFIG, on which data, and the folder `--out` of the result, which is called `out`."""
    parser.add_argument("config", metavar="CONFIG", help="TOML file, or name of a shipped configuration")
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar=out, help=help)


def add_settings(parser: Parser, *, help: str) -> None:
    """`--set key=value`, as often as one likes."""
    parser.add_argument(
        "--set", type=assignment, action="append", default=[], dest="settings", metavar="key=value", help=help
    )


class _Names:
    """Names that a package finds, looked for no sooner than they are needed: most commands know nothing of boards."""

    def __init__(self, package: str) -> None:
        self._package = package

    def __iter__(self) -> Iterator[str]:
        names: tuple[str, ...] = import_module(self._package).names()
        return iter(names)

    def one(self, text: str) -> str:
        """Option type: one of them."""
        if text not in (names := list(self)):
            raise argparse.ArgumentTypeError(not_among(text, names))
        return text


Options = argparse._ActionsContainer  # noqa: SLF001 - argparse gives this type no public name


def add_choice(
    parser: Options, option: str, package: str, help: str, *, required: bool = False, default: str | None = None
) -> None:
    """An option whose values are the names that `names()` of a package finds."""
    names = _Names(package)
    metavar = option.removeprefix("--").upper()
    added = parser.add_argument(
        option, type=names.one, choices=names, required=required, default=default, metavar=metavar
    )
    # Set afterwards, as newer Pythons expand the help of an option when it is added.
    added.help = help


def add_board(parser: Options, help: str, *, default: str | None = None, required: bool | None = None) -> None:
    """`--board`, which must be given unless there is a `default`, or it is not `required`."""
    needed = default is None if required is None else required
    add_choice(parser, "--board", "spikewright_boards.catalog", help, required=needed, default=default)


def add_build(parser: Parser) -> None:
    """The folder of a core, `args.build_dir`."""
    parser.add_argument("build_dir", type=Path, metavar="BUILD_DIR", help="folder by `spikewright generate`")


def add_line(parser: Parser) -> None:
    """The serial line of a board: `--port`, and what belongs to it."""
    parser.add_argument(
        "--port",
        required=True,
        metavar="PORT",
        help="serial line of the board, such as /dev/ttyUSB1; or emulate: the top level of a board, compiled by\n"
        "Verilator, behind a pseudo-terminal",
    )
    add_board(
        parser,
        "to emulate, one of %(choices)s (default: that of the only bitstream in BUILD_DIR, else icebreaker)",
        required=False,
    )
    parser.add_argument("--baud", type=integer(300), metavar="B", help="of the line (default: 1000000)")


def add_split(parser: Parser) -> None:
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test"),
        default="test",
        help="part of the data, valid for SSC only (default: %(default)s)",
    )
