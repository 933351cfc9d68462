"""The emulator as a serial port: what talks to a board talks to it without knowing."""

from __future__ import annotations

import os
import subprocess
import tempfile
import tty
from contextlib import suppress
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.contract.names import verilog_files
from spikewright.contract.stream import StreamFormat
from spikewright.support.environment import amaranth_environment
from spikewright.support.files import MANIFEST, read_manifest
from spikewright_boards.catalog import find
from spikewright_boards.flow.sources import core_sources
from spikewright_boards.flow.top import BAUD, clock_of
from spikewright_boards.link.port import SerialPort
from spikewright_boards.link.protocol import fingerprint
from spikewright_sim.core.toolchain import DesignError, Program, compile_model

from .top import EmulatedTop, Pins

TOP = "board"
IDLE_CYCLES = 500_000
"""Cycles of silence after which nothing will come any more: far more than a core takes for an answer."""


def compile_emulator(build_dir: Path, board: str, folder: Path, *, quick: bool = False) -> Path:
    """Compile the emulator of a board with the core of a build folder; returns the executable, in `folder`.

    Raises
    ------
    InputError
        If the folder or the board is not usable, or a tool is missing.
    """
    from amaranth.back import verilog

    target = find(board)
    manifest = read_manifest(build_dir)
    files = [build_dir / name for name in verilog_files(manifest, build_dir / MANIFEST)]
    sources = core_sources(files, manifest)
    stream = StreamFormat.from_manifest(manifest)
    top = EmulatedTop(target, stream, files[0].stem, fingerprint=fingerprint(sources))
    with amaranth_environment(folder):
        text = verilog.convert(top, name=TOP, platform=Pins(), emit_src=False, strip_internal_attrs=True)
        (folder / f"{TOP}.v").write_text(text)
    program = Program(Path(__file__).with_name("emulator.cpp"))
    try:
        return compile_model(
            [folder / f"{TOP}.v", *files], TOP, folder, program, ports=("clk", "rst", "rx", "tx"), quick=quick
        )
    except DesignError as error:
        raise InputError(f"{files[0]} must be the core of its manifest: {error}") from error


class EmulatedPort(SerialPort):
    """The serial port of an emulated board, which runs as long as the port is open.

    Parameters
    ----------
    build_dir : Path
        Folder by `spikewright generate`.
    board : str
        Whose top level it is.
    baud : int
        Of the host's end; that of the board is `BAUD`.
    quick : bool
        Compile in a third of the time, and run at less than half the speed.
    idle : int
        Cycles of silence after which an answer will not come any more.
    """

    def __init__(
        self, build_dir: Path, board: str, baud: int = BAUD, *, quick: bool = False, idle: int = IDLE_CYCLES
    ) -> None:
        self._clock = clock_of(find(board)).mhz * 1e6
        self._folder = tempfile.TemporaryDirectory(prefix="spikewright-emulate-")
        self._process: subprocess.Popen[str] | None = None
        try:
            program = compile_emulator(build_dir, board, Path(self._folder.name), quick=quick)
            master, slave = os.openpty()
            try:
                tty.setraw(slave)
                self._process = subprocess.Popen(
                    # Memory images are read from the folder it runs in.
                    [str(program), str(master), f"{self._clock:.0f}", str(idle)],
                    cwd=build_dir,
                    pass_fds=(master,),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    bufsize=1,
                )
                super().__init__(os.ttyname(slave), baud)
            finally:
                os.close(master)
                os.close(slave)
        except BaseException:
            self._end()
            raise

    def tell(self, command: str) -> str:
        """Say a word to the emulator, see `emulator.cpp`; returns its answer."""
        assert self._process is not None
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(f"{command}\n")
            answer = stdout.readline().strip()
        except OSError:
            answer = ""
        if not answer:
            raise ToolTrouble(f"the emulator must keep running, not end with status {self._process.wait()}")
        return answer

    def send_break(self) -> None:
        with self._used():
            self.tell("break")
            self._serial.reset_input_buffer()

    def overdue(self, seconds: float, patience: float) -> bool:
        # However long it takes: the emulator knows when there is nothing left to do.
        return self.tell("idle") == "1" and not self._serial.in_waiting

    def latency(self, measured: float) -> float:
        sent, answered = map(int, self.tell("times").split())
        return (answered - sent) / self._clock

    def close(self) -> None:
        with suppress(OSError):
            super().close()
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()

    def __enter__(self) -> EmulatedPort:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
