"""What the commands share: their outcome, and the checked kinds of option values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Parameters
    ----------
    report : mapping
        The JSON object of `--json`.
    rows : list of (label, value)
        The table that people read.
    failed : str, optional
        Why the check failed: one line on standard error, exit status 1.
    silent : bool
        Print nothing, as another process prints the same.
    """

    report: Mapping[str, Any]
    rows: list[tuple[str, str]] = field(default_factory=list)
    failed: str | None = None
    silent: bool = False

    def table(self) -> str:
        width = max((len(label) for label, _ in self.rows), default=0)
        return "\n".join(f"{label:<{width}}  {value}".rstrip() for label, value in self.rows)


CONTINUES = "the same command continues it"


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line, as all errors of the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"spikewright: error: {' '.join(message.split())} (see `{self.prog} --help`)\n")


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
    parser.set_defaults(run=run, continues=CONTINUES if resumable else "")
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


class _Boards:
    """Names of all boards, looked for no sooner than they are needed: most commands know nothing of boards."""

    def __iter__(self) -> Iterator[str]:
        from spikewright_boards.catalog import names

        return iter(names())


def _board(text: str) -> str:
    """Option type: the name of a board."""
    if text not in (names := list(_Boards())):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(names)}, not {text!r}")
    return text


def add_board(parser: Parser, help: str, *, default: str | None = None) -> None:
    """`--board`, which must be given unless there is a `default`."""
    option = parser.add_argument(
        "--board", type=_board, choices=_Boards(), required=default is None, default=default, metavar="BOARD"
    )
    # Set afterwards, as newer Pythons expand the help of an option when it is added.
    option.help = help


def add_split(parser: Parser) -> None:
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test"),
        default="test",
        help="part of the data, valid for SSC only (default: %(default)s)",
    )


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


def thousands(number: float) -> str:
    return f"{number:,.0f}"
