"""Kills commands at chosen moments: run as a script, which forks one process per moment from a warm interpreter.

    python kill_points.py MOMENTS FIRST ARGUMENT...

Runs the command line with the arguments once for every moment, in a process of its own that kills itself with SIGKILL
right before its k-th operation that changes files; k goes through about MOMENTS values up to the number of operations
that the whole command has. FIRST is Python that is run before all, say to put up fake tools. After each moment, the
rest of standard input is read as Python and run with `killed` set to k: it is the test's own check, and what it raises
ends all. Prints how often it was killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

CHANGES = {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.link", "os.symlink"}


def changes_files(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audit event is of an operation that changes files."""
    if event != "open":
        return event in CHANGES
    path, _, flags = arguments
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) and not str(path).startswith(("/dev/", "/proc/"))


def run_until(moment: int, argv: list[str]) -> int:
    """Fork a command that dies at the moment; number of operations it had if it came to its end, else -1."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        seen = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if changes_files(event, arguments):
                if seen == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1

        from spikewright.cli.main import main

        sys.addaudithook(hook)
        status = main(argv)
        os.write(writing, f"{status} {seen}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read().split()
    os.waitpid(child, 0)
    if not said:
        return -1
    if said[0] != "0":
        raise SystemExit(f"exit status {said[0]}")
    return int(said[1])


def every(moments: int, argv: list[str], check: Callable[[int], None]) -> int:
    """Kill at about so many moments, and check after each; how often it was killed."""
    operations = run_until(-1, argv)
    if operations == -1:
        raise SystemExit("the command failed")
    check(-1)
    killed = 0
    for moment in range(0, operations, max(1, operations // moments)):
        # A command that finds part of its work done by an earlier one may come to its end before the moment.
        killed += run_until(moment, argv) == -1
        check(moment)
    return killed


if __name__ == "__main__":
    import spikewright.learn.checkpoint  # noqa: F401 - warm
    import spikewright.learn.train  # noqa: F401 - warm

    code = compile(sys.stdin.read(), "check", "exec")
    exec(compile(sys.argv[2], "first", "exec"), {})
    print(every(int(sys.argv[1]), sys.argv[3:], lambda moment: exec(code, {"killed": moment})))
