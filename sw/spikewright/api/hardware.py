"""Boards: which there are, a bitstream onto one, and what one answers."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikewright.api.result import Result
from spikewright.api.source import AnyPath, Data, Model, model_file, opened
from spikewright.build.folder import MODEL, open_build
from spikewright.build.load_image import image_of
from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts, percent, thousands
from spikewright.support.progress import bar, say

if TYPE_CHECKING:
    from spikewright_boards.link.session import Session

QUICK_BELOW = 200
"""Steps of all samples for which an emulator is not worth being compiled well."""


class Boards(Result):
    """The boards that are known.

    Attributes
    ----------
    boards : list of dict
        Each with `name`, `device`, `family`, `clock_mhz`, `luts`, `ffs`, `brams`, `dsps`, `serial` (where its serial
        line is) and `program` (the command that sends a bitstream).
    """

    boards: list[dict[str, Any]]

    def facts(self) -> Facts:
        return [
            (
                of["name"],
                f"{of['device']} ({of['family']}): {thousands(of['luts'])} LUTs, {of['brams']} block RAMs, "
                f"{of['clock_mhz']:g} MHz; serial line: {of['serial']}",
            )
            for of in self.boards
        ]


def boards() -> Boards:
    """All boards that `synth`, `program` and `explore` know."""
    from spikewright_boards.catalog import find, names

    found = []
    for name in names():
        board = find(name)
        device = board.device
        found.append(
            {
                "name": name,
                "device": device.name,
                "family": device.family,
                "clock_mhz": board.clock_mhz,
                **{key: getattr(device, key) for key in ("luts", "ffs", "brams", "dsps")},
                "serial": board.serial,
                "program": list(board.program),
            }
        )
    return Boards({"boards": found})


class Programming(Result):
    """A bitstream on its way to a board.

    Attributes
    ----------
    board, bitstream : str
    command : list of str
        What sends the bitstream.
    programmed : bool
        Whether it was run.
    remedy : str
        How to get its tool, where that is missing.
    """

    board: str
    bitstream: str
    command: list[str]
    programmed: bool
    remedy: str

    def facts(self) -> Facts:
        return [
            ("board", self.board),
            ("bitstream", self.bitstream),
            ("command", shlex.join(self.command)),
            ("programmed", "yes" if self.programmed else "no: the command is to be run by you"),
            *([("to have it run", self.remedy)] if self.remedy else []),
        ]


def program(folder: AnyPath, board: str, *, dry_run: bool = False) -> Programming:
    """Send a bitstream to a board, by openFPGALoader or the board's own tool.

    Where that is not installed, nothing is run: `programmed` is false then, and `command` what to run.

    Parameters
    ----------
    folder : path
        By `synth`, or the build folder it was made of.
    board : str
    dry_run : bool
        Only say what would be run.

    Raises
    ------
    InputError
        If there is no bitstream for that board, or the tool fails.
    """
    from spikewright_boards.flow.program import program

    return Programming(program(Path(folder), board, dry_run=dry_run))


class Answers(Result):
    """What a board answered; `check()` raises an error if anything differs from the integer network.

    Attributes
    ----------
    samples : int
    mismatches : int
        Scores and classes that are not those of the integer network.
    accuracy, model_accuracy : float
        Of the board, and of the integer network, 0 .. 1.
    latency_us : float
        Median time from the last byte of a sample to the first byte of its result: as the host sees it, or in the
        time of the emulated board.
    repeated : int
        Samples that were sent again, as bytes were lost.
    failed : str or None
        Why it failed, in a line.
    """

    samples: int
    mismatches: int
    details: list[str]
    accuracy: float
    model_accuracy: float
    latency_us: float
    repeated: int

    def facts(self) -> Facts:
        return [
            ("port", self["port"]),
            ("accuracy, board", f"{percent(self.accuracy)} ({self.samples} samples)"),
            ("accuracy, model", percent(self.model_accuracy)),
            ("mismatches", str(self.mismatches)),
            ("latency", f"{self.latency_us:,.1f} us (slowest {self['slowest_us']:,.1f} us)"),
            *([("sent again", f"{self.repeated} samples, as bytes were lost")] if self.repeated else []),
            *(("difference", line) for line in self.details),
        ]


def run(
    build: AnyPath,
    data: Data = "sample",
    *,
    port: str,
    split: str = "test",
    samples: int | None = None,
    board: str | None = None,
    baud: int | None = None,
    model: Model | None = None,
    image: AnyPath | None = None,
) -> Answers:
    """Send samples to a board that has the core of a build folder, and compare with the integer network in PyTorch.

    Parameters
    ----------
    build : Build, or folder by `generate`
    data : SpikeData, folder or "sample"
    port : str
        Serial line, such as /dev/ttyUSB1; or "emulate": the very top level of a board, compiled by Verilator, behind a
        pseudo-terminal.
    split : "train", "valid" or "test"
        Part of a folder's data set.
    samples : int, optional
        The first so many; all by default.
    board : str, optional
        Whose top level is emulated; by default that of the only bitstream in the build folder, else "icebreaker".
    baud : int, optional
        Of the line; that of the bitstreams by default.
    model : model, optional
        Of a core with loadable weights: load this network.
    image : path, optional
        Load this image, which must be of `model`.

    Returns
    -------
    Answers
        A difference is no error: see `mismatches`, or call `check()`.

    Raises
    ------
    InputError
        If a file or an option does not fit, the port cannot be used, or the board does not answer or has another core.
    """
    import numpy as np
    import torch

    from spikewright.integer.reference import IntegerNetwork
    from spikewright_boards.link.answers import compare_answers

    folder = Path(build)
    with ExitStack() as files:
        loaded = None if model is None else files.enter_context(model_file(model))
        manifest, core = open_build(folder, loaded)
        weights = load_image_of(folder, manifest, core, image)
        chosen = opened(loaded or folder / MODEL).samples(data, split, samples)
        counts = chosen.counts.astype(np.int64)
        trace = IntegerNetwork(core.network).run(torch.from_numpy(counts))
        quick = len(counts) * counts.shape[1] < QUICK_BELOW
        session = files.enter_context(connected(folder, port, board, baud, quick=quick))
        load = None if weights is None else lambda: session.load(weights)
        if load is not None:
            load()
        report = compare_answers(
            session,
            counts,
            chosen.labels,
            trace.scores.numpy(),
            trace.classes.numpy(),
            reload=load,
            along=lambda numbers: bar(numbers, unit="sample"),
        )
    failed = None
    if report["mismatches"]:
        failed = f"{report['mismatches']} mismatches; {report['details'][0]}"
    return Answers({"port": port, **report}, failed)


def load_image_of(folder: Path, manifest: dict[str, Any], core: CoreSpec, image: AnyPath | None) -> bytes | None:
    """The load image of a core that is loaded at run time: a given one, or that of `core`; None for any other core."""
    if "load" in manifest:
        return Path(image).read_bytes() if image is not None else image_of(folder, manifest, core)
    if image is not None:
        raise InputError(f"{folder} must be made by `generate --weights loadable` to take a load image")
    return None


def connected(folder: Path, port: str, board: str | None, baud: int | None, *, quick: bool = False) -> Session:
    """See `spikewright_boards.connect.connect`; says what is emulated."""
    from spikewright_boards.connect import EMULATE, board_of, connect
    from spikewright_boards.flow.top import BAUD

    if port == EMULATE:
        say(f"emulating {board_of(folder, board)} (compiled once)")
    elif board is not None:
        raise InputError(f"board must be left out with the port {port}: it is for the port {EMULATE}")
    return connect(folder, port, board=board, baud=BAUD if baud is None else baud, quick=quick)
