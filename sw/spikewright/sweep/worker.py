"""One training of a sweep, in a process of its own.

A process per training keeps a crash from the others, gives each its share of the cores, and ends at once when it is
told to. It says how it went on standard output, one JSON object, and ends when its standard input does: it never
outlives the sweep that started it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from spikewright.contract.errors import CheckFailed, InputError
from spikewright.support.interrupts import Interruptible

LOG = "train.log"
"""What the training wrote to standard error."""

Status = Literal["finished", "diverged", "refused", "crashed"]


@dataclass(frozen=True)
class Job:
    """A training to run.

    Parameters
    ----------
    config : dict
        As `Config.to_dict` makes it.
    data : str
        Folder with the recordings.
    out : str
        Folder of the run.
    threads : int
        Threads of PyTorch.
    device : str
        As `train` takes it.
    patience : float
        Seconds to wait for another process to leave the folder: the same training, of a worker that was lost, ends
        only when it notices.
    """

    config: dict[str, Any]
    data: str
    out: str
    threads: int
    device: str = "cpu"
    patience: float = 0.0


@dataclass(frozen=True)
class Ending:
    """How a training ended: `refused` is bad input, `crashed` anything unforeseen. The message is one line."""

    status: Status
    message: str = ""


class Training:
    """A training that runs in a process.

    Parameters
    ----------
    job : Job
        Its folder is created; standard error goes to `train.log` there.
    """

    def __init__(self, job: Job) -> None:
        folder = Path(job.out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            log = (folder / LOG).open("ab")
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
        self._log = folder / LOG
        environment = {**os.environ, "OMP_NUM_THREADS": str(job.threads)}
        with log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "spikewright.sweep.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                # Ctrl-C is for the sweep, which then ends its trainings.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # The process has failed already; its ending will say so.
            self._process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            self._process.stdin.flush()

    def ending(self, timeout: float = 0.0) -> Ending | None:
        """How it ended, or None if it has not within `timeout` seconds."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        assert self._process.stdout is not None
        try:
            said = json.loads(self._process.stdout.read())
            return Ending(said["status"], said["message"])
        except (ValueError, KeyError, TypeError):
            return Ending("crashed", f"{_last_line(self._log) or f'exit status {status}'} (see {self._log})")
        finally:
            self._close()

    def stop(self) -> None:
        """End it now; it can be resumed."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # Within one long operation of PyTorch: all files are whole even so.
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text("utf-8", errors="replace").splitlines()
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
    return ""


def run(job: Job) -> Ending:
    """Train, or continue, and leave `result.json` or `diverged.json` in the run's folder."""
    from spikewright.learn.config import from_dict
    from spikewright.learn.train import train_locked
    from spikewright.support.files import DIVERGED, RESULT, write_json
    from spikewright.support.locks import locked

    folder = Path(job.out)
    try:
        with locked(folder, "trains", job.patience):
            (folder / DIVERGED).unlink(missing_ok=True)
            try:
                report = train_locked(from_dict(job.config), job.data, folder, device=job.device)
            except CheckFailed as error:
                write_json(folder / DIVERGED, {"message": str(error)})
                return Ending("diverged", str(error))
            # Paths of this machine are of no use to whoever reads the folder elsewhere.
            write_json(folder / RESULT, {key: value for key, value in report.items() if key != "checkpoint"})
    except InputError as error:
        return Ending("refused", " ".join(str(error).split()))
    return Ending("finished")


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the job on standard input."""
    with Interruptible(sys._getframe()):  # noqa: SLF001 - Python's only way to its frames
        _work()


def _work() -> None:
    job = Job(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    answer = os.dup(1)
    os.dup2(2, 1)  # What libraries print is for the log.
    ending = run(job)
    os.write(answer, json.dumps(asdict(ending)).encode())


if __name__ == "__main__":
    main()
