"""From a build folder and the name of a port to a conversation with the board that has its core."""

from __future__ import annotations

from pathlib import Path

from spikewright.contract.errors import InputError, errors_in
from spikewright.contract.names import verilog_files
from spikewright.contract.stream import StreamFormat
from spikewright.support.files import MANIFEST, read_manifest
from spikewright_boards.catalog import find, names
from spikewright_boards.flow.sources import core_sources
from spikewright_boards.flow.top import BAUD
from spikewright_boards.link.port import SerialPort
from spikewright_boards.link.protocol import fingerprint
from spikewright_boards.link.session import PATIENCE, Port, Session

EMULATE = "emulate"
"""The port of an emulated board."""
EMULATED = "icebreaker"
"""The board that is emulated if none was chosen: its slow clock makes the line quick to simulate."""


def board_of(build_dir: Path, board: str | None) -> str:
    """The board to emulate: a chosen one, or that of the only bitstream in a build folder, else `EMULATED`.

    Raises
    ------
    InputError
        If there is no such board, or there are several bitstreams.
    """
    if board is not None:
        return find(board).name
    made = [name for name in names() if (build_dir / f"synth-{name}" / MANIFEST).is_file()]
    if len(made) > 1:
        raise InputError(f"board must be given, as {build_dir} has bitstreams for {', '.join(made)}, and not left out")
    return made[0] if made else EMULATED


def connect(
    build_dir: Path,
    port: str,
    *,
    board: str | None = None,
    baud: int = BAUD,
    patience: float = PATIENCE,
    quick: bool = False,
) -> Session:
    """Open a port, and see that the board behind it has the core of a build folder.

    Parameters
    ----------
    build_dir : Path
        Folder by `spikewright generate`.
    port : str
        Name of a serial line of this machine, or "emulate".
    board : str, optional
        To emulate, see `board_of`.
    baud : int
        Of the line.
    patience : float
        Seconds that an answer may take.
    quick : bool
        Of an emulated board: see `EmulatedPort`.

    Raises
    ------
    InputError
        If the folder is no such, or the port cannot be used; if the board does not answer, or has another core.
    """
    manifest = read_manifest(build_dir)
    with errors_in(build_dir / MANIFEST):
        stream = StreamFormat.from_manifest(manifest)
    sources = core_sources([build_dir / name for name in verilog_files(manifest, build_dir / MANIFEST)], manifest)
    line: Port
    if port == EMULATE:
        from spikewright_boards.emulate.emulator import EmulatedPort

        line = EmulatedPort(build_dir, board_of(build_dir, board), baud, quick=quick)
    else:
        line = SerialPort(port, baud)
    session = Session(line, stream, patience=patience)
    try:
        session.begin(fingerprint(sources))
    except BaseException:
        line.close()
        raise
    return session
