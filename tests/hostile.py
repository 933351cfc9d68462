"""Damaged and malicious files, for every reader: Hypothesis strategies over what may have happened to a good one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from spikewright.cli import main as cli

DEADLINE = {signal.ITIMER_PROF: 60, signal.ITIMER_REAL: 600}
"""Seconds of a command on a small file after which it hangs: of a processor, and on the clock of a busy machine."""

RAW = [
    *("null", "true", "-1", "0", "1", "3", "0.5", "-0.0", "1e400", "NaN", "-Infinity", "65536", "1000000000000"),
    *(str(1 << 63), "1" * 5000, '""', '"x"', '"../../x"', '"/dev/zero"', '"a\\u0000b"', '"\\ud800"', '"%s{0}"'),
    *("[]", "{}", "[1]", '[""]', '{"a": 1}', "[" * 400 + "]" * 400, "[" * 200_000, '{"a":' * 100_000),
    *("\"__import__('os').abort()\"", '"' + "x" * 100_000 + '"', "[null, null]", "[[0]]"),
]
"""Values in the spelling of JSON, some of them none."""

TOML = [
    *("true", "-1", "0", "0.5", "nan", "inf", "1e400", "0x7fffffffffffffff", "1" * 5000, '""', '"../x"', '"\\u0000"'),
    *("[]", "[[]]", "[1, 2]", "{}", "{a = 1}", "1979-05-27", "'''\n'''", "[" * 100_000, "{a=" * 5_000, "65537"),
    *("1000000000000", '"hard"', '"half_normal"', "65536", "4096", "1e-300", "1e300"),
]


@st.composite
def bytes_like(draw: st.DrawFn, raw: bytes) -> bytes:
    """What is left of a file after bits fell over, or its end was lost."""
    kind = draw(st.sampled_from(["cut", "flip", "flip", "flip", "set", "set", "insert", "remove", "repeat", "other"]))
    at = draw(st.integers(0, max(0, len(raw) - 1)))
    if draw(st.booleans()):
        at %= 600  # most of what matters is at the beginning
    if kind == "cut":
        return raw[:at]
    if kind == "other":
        return draw(st.binary(max_size=300))
    if kind in ("insert", "set"):
        odd = draw(
            st.one_of(
                st.binary(min_size=1, max_size=16), st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f"])
            )
        )
        return raw[:at] + odd + raw[at + (len(odd) if kind == "set" else 0) :]
    if kind in ("remove", "repeat"):
        length = draw(st.integers(1, 64))
        return raw[:at] + (b"" if kind == "remove" else raw[at : at + length] * 2) + raw[at + length :]
    content = bytearray(raw)
    for _ in range(draw(st.integers(1, 8))):
        if content:
            content[draw(st.integers(0, len(content) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


@st.composite
def json_like(draw: st.DrawFn, text: str, *, nested: tuple[str, ...] = ()) -> str:
    """An object with one value replaced, removed, doubled or added; `nested` are keys whose values hold JSON again."""
    value = json.loads(text)
    inner = [key for key in nested if key in value.get("__metadata__", {})]
    if inner and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(inner))
        value["__metadata__"][key] = draw(json_like(value["__metadata__"][key]))
        return json.dumps(value)
    path = draw(st.sampled_from(list(_places(value)) or [("new",)]))
    node = value
    for key in path[:-1]:
        node = node[key]
    last, kind = path[-1], draw(st.sampled_from(["replace"] * 6 + ["remove", "double", "add"]))
    if kind == "remove":
        del node[last]
    elif kind == "replace" or not isinstance(node, dict):
        node[last] = "@@"
    else:
        node[f"{last}##" if kind == "double" else draw(st.text(max_size=8))] = "@@"
    odd = draw(st.sampled_from(RAW))
    return json.dumps(value).replace("##", "").replace('"@@"', odd)


@st.composite
def safetensors_like(draw: st.DrawFn, raw: bytes, nested: tuple[str, ...]) -> bytes:
    """A file of tensors with another header, or with other bytes."""
    if draw(st.integers(0, 2)) == 0:
        return draw(bytes_like(raw))
    size = int.from_bytes(raw[:8], "little")
    header = draw(json_like(raw[8 : 8 + size].decode(), nested=nested)).encode("utf-8", "surrogatepass")
    body = raw[8 + size :]
    if draw(st.integers(0, 7)) == 0:
        body = draw(bytes_like(body))
    return len(header).to_bytes(8, "little") + header + body


@st.composite
def toml_like(draw: st.DrawFn, text: str) -> bytes:
    """A configuration with another value, key or table."""
    if draw(st.integers(0, 3)) == 0:
        return draw(bytes_like(text.encode()))
    lines = text.splitlines()
    at = draw(st.sampled_from([index for index, line in enumerate(lines) if line.strip()]))
    odd = draw(st.sampled_from(TOML))
    kind = draw(st.sampled_from(["value"] * 5 + ["double", "remove", "key", "table"]))
    if kind == "value":
        lines[at] = f"{lines[at].partition('=')[0]}= {odd}"
    elif kind == "double":
        lines.insert(at, lines[at])
    elif kind == "remove":
        del lines[at]
    elif kind == "key":
        lines.insert(at, f"{draw(st.sampled_from(['bin_width', 'layers', 'x', '__class__', 'neurons']))} = {odd}")
    else:
        lines.insert(at, draw(st.sampled_from(["[network]", "[[network]]", "[network.layers]", "[a.b]", "[training]"])))
    return "\n".join(lines).encode()


class Hang(Exception):
    """A command took longer than the deadline."""


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"no end in time: {DEADLINE}")


def call(*argv: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command; Hang after the deadline."""
    out, err = io.StringIO(), io.StringIO()
    previous = [(number, signal.signal(number, _hang)) for number in (signal.SIGALRM, signal.SIGPROF)]
    for timer, seconds in DEADLINE.items():
        signal.setitimer(timer, seconds)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(list(map(str, argv)))
    finally:
        for timer in DEADLINE:
            signal.setitimer(timer, 0)
        for number, handler in previous:
            signal.signal(number, handler)
    return status, out.getvalue(), err.getvalue()


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """All files below a folder, with their sizes and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = os.lstat(path)
        found[str(path)] = (status.st_size, status.st_mtime_ns) if not path.is_dir() else (0, 0)
    return found


def survives(folder: Path, named: str | Path, *argv: object, fine: tuple[int, ...] = (0,)) -> str | None:
    """Run a command on a bad file: either it does not matter, or one line says what is wrong and nothing is written.

    Parameters
    ----------
    folder : Path
        Nothing in it may change if the command is refused.
    named : str or Path
        What the line must name.
    fine : tuple of int
        Exit statuses other than 2 that are in order.

    Returns
    -------
    str or None
        The line, if there is one.
    """
    before = contents(folder)
    status, out, err = call(*argv)
    if status in fine:
        return None
    assert status == 2, (status, err)
    *progress, line = err.splitlines()
    assert all(re.fullmatch(r".* \.\.\.", earlier) for earlier in progress), err
    assert out == ""
    assert line.startswith("spikewright: error: "), err
    assert str(named) in line, line
    assert "Traceback" not in line and len(line) < 1000, line
    assert contents(folder) == before
    return line.removeprefix("spikewright: error: ")
