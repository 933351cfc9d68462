"""Liberty files: a reader of the format, as groups of attributes and groups."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spikewright.contract.errors import InputError

LARGEST = 256 << 20
"""Bytes of a library, unpacked."""
DEEPEST = 30
_TOKEN = re.compile(
    r"/\*.*?\*/|//[^\n]*|\\\r?\n|\s+|(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<mark>[(){};:,])|(?P<word>[^\s(){};:,\"]+)",
    re.DOTALL,
)
_BRACE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|/\*.*?\*/|[{}]", re.DOTALL)
_SKIPPED = frozenset(
    ("timing", "receiver_capacitance", "ccsn_first_stage", "ccsn_last_stage", "ccsn_stage", "dc_current", "test_cell")
)
"""Groups without use here: what synthesis and timing need of them they read themselves."""


@dataclass
class Group:
    """A group of a library.

    Parameters
    ----------
    kind, args : str, tuple of str
        `cell ("and2_1")` is of kind `cell` and has one argument.
    attributes : dict
        Values by name, of simple (`area : 1.2;`) and complex (`index_1("1, 2");`) ones; the last of a name counts.
    groups : list of Group
    begin, end : int
        Its place in the text of the library.
    """

    kind: str
    args: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    begin: int = 0
    end: int = 0

    @property
    def name(self) -> str:
        return self.args[0] if self.args else ""

    def of(self, kind: str) -> Iterator[Group]:
        """Groups in it that are of a kind."""
        return (group for group in self.groups if group.kind == kind)

    def text(self, name: str, absent: str = "") -> str:
        """Value of an attribute with one value."""
        values = self.attributes.get(name)
        return values[0] if values else absent

    def number(self, name: str, absent: float | None = None) -> float:
        """The same as a finite number.

        Raises
        ------
        InputError
            If it is none, or missing where nothing is said for that case.
        """
        values = self.attributes.get(name)
        if not values:
            if absent is None:
                raise InputError(f"{self.kind} {self.name} must have {name}, not lack it")
            return absent
        return self._finite(name, values[0])

    def size(self, name: str, absent: float | None = None) -> float:
        """The same as a number that is not negative."""
        found = self.number(name, absent)
        if found < 0:
            raise InputError(f"{name} of {self.kind} {self.name} must be at least 0, not {found:g}")
        return found

    def numbers(self, name: str) -> list[float]:
        """All numbers of an attribute such as `values("1, 2", "3, 4");`, each finite."""
        words = (word for text in self.attributes.get(name, ()) for word in text.replace(",", " ").split())
        return [self._finite(name, word) for word in words]

    def _finite(self, name: str, word: str) -> float:
        try:
            found = float(word)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise InputError(f"{name} of {self.kind} {self.name} must be a finite number, not {word!r:.60}")
        return found


def read_text(path: Path) -> str:
    """Text of a library, unpacked if it is gzipped.

    Raises
    ------
    InputError
        If it cannot be read, or is larger than `LARGEST`.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as file:
                raw = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read library {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(raw) > LARGEST:
        raise InputError(f"library {path} must be at most {LARGEST} bytes, not more")
    return raw.decode("utf-8", "replace")


def parse(text: str, path: Path) -> Group:
    """The group `library` of a file; groups without use here are left out.

    Raises
    ------
    InputError
        If it is no liberty; says the line.
    """
    reader = _Reader(text, path)
    library = reader.group(reader.word("a library"), 0, 0)
    if library.kind != "library":
        reader.fail(f"the group library, not {library.kind!r:.60}", 0)
    return library


class _Reader:
    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path
        self._place = 0
        self._at = 0
        self._peeked: tuple[str, str] | None = None

    def fail(self, wanted: str, place: int | None = None) -> None:
        line = self._text.count("\n", 0, self._at if place is None else place) + 1
        raise InputError(f"{self._path} must be a liberty file: line {line} must have {wanted}")

    def _next(self) -> tuple[str, str]:
        """Kind and text of the next token; the kind is empty at the end."""
        if self._peeked is not None:
            token, self._peeked = self._peeked, None
            return token
        while self._place < len(self._text):
            found = _TOKEN.match(self._text, self._place)
            self._at = self._place
            if found is None:
                self.fail(f"no {self._text[self._place]!r}")
                break
            self._place = found.end()
            if found.lastgroup:
                return found.lastgroup, found[0]
        self._at = len(self._text)
        return "", ""

    def _peek(self) -> str:
        if self._peeked is None:
            self._peeked = self._next()
        return self._peeked[1]

    def word(self, wanted: str) -> str:
        kind, text = self._next()
        if kind not in ("word", "text"):
            self.fail(f"{wanted}, not {text!r:.20}" if text else f"{wanted}, not its end")
        return _plain(text)

    def mark(self, wanted: str) -> None:
        _, text = self._next()
        if text != wanted:
            self.fail(f"{wanted!r}, not {text!r:.20}" if text else f"{wanted!r}, not its end")

    def group(self, kind: str, begin: int, depth: int) -> Group:
        """The rest of a group, or of a complex attribute, which has no braces: it is returned without an end."""
        if depth > DEEPEST:
            self.fail(f"at most {DEEPEST} groups in each other")
        self.mark("(")
        args: list[str] = []
        while self._peek() != ")":
            if self._peek() == ",":
                self._next()
                continue
            args.append(self.word("an argument"))
            while self._peek() == ":":  # ranges such as [7:0]
                self._next()
                args[-1] += ":" + self.word("an argument")
        self._next()
        group = Group(kind, tuple(args), begin=begin)
        if self._peek() != "{":
            if self._peek() == ";":
                self._next()
            return group
        self._next()
        if kind in _SKIPPED:
            self._skip()
        else:
            self._body(group, depth)
        group.end = self._place
        if depth and self._peek() == ";":
            self._next()
        return group

    def _body(self, group: Group, depth: int) -> None:
        while self._peek() != "}":
            if self._peek() == ";":
                self._next()
                continue
            self._peek()
            begin = self._at
            name = self.word("the name of an attribute")
            if self._peek() == ":":
                self._next()
                group.attributes[name] = (self._value(),)
                continue
            inner = self.group(name, begin, depth + 1)
            if inner.end:
                group.groups.append(inner)
            else:
                group.attributes[name] = inner.args
        self._next()

    def _value(self) -> str:
        """The value of a simple attribute: up to the semicolon, or the end of the line where that is missing."""
        words: list[str] = []
        line = -1
        while self._peek() not in (";", "}", ""):
            end = self._text.find("\n", self._at)
            if words and self._at > line >= 0:
                return " ".join(words)
            line = end
            words.append(_plain(self._next()[1]))
        if self._peek() == ";":
            self._next()
        return " ".join(words)

    def _skip(self) -> None:
        depth = 1
        for found in _BRACE.finditer(self._text, self._place):
            depth += (found[0] == "{") - (found[0] == "}")
            if not depth:
                self._place = found.end()
                return
        self.fail("'}', not its end", self._place)


def _plain(text: str) -> str:
    return re.sub(r"\\\r?\n\s*", " ", text[1:-1]) if text.startswith('"') else text
