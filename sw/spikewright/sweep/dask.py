"""Trainings of a sweep on the workers of a Dask cluster."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.support.cluster import connect
from spikewright.support.progress import warn
from spikewright.sweep.worker import Ending, Job, Training

_STOP_SECONDS = 20
_PATIENCE_SECONDS = 60
_LOOK_SECONDS = 1.0
"""Between two looks at the workers."""


def train_on_worker(job: Job, stop_event: str) -> Ending:
    """Run a training in a process of its own on the worker's machine, until it ends or the sweep stops."""
    distributed: Any = importlib.import_module("distributed")
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdecimal() and int(asked) else 1
    stop = distributed.Event(stop_event)
    try:
        run = Training(replace(job, threads=threads, patience=_PATIENCE_SECONDS))
    except InputError as error:
        return Ending("refused", str(error))
    try:
        while (ending := run.ending(timeout=1.0)) is None:
            if stop.is_set():
                return Ending("crashed", "stopped")
        return ending
    finally:
        run.stop()


class DaskExecutor:
    """Trainings on a Dask cluster, one per thread of its workers.

    A worker that is lost is told on standard error; what it trained goes on with another one, from the last epoch.

    Parameters
    ----------
    scheduler : str
        Address, as `tcp://host:8786`.

    Raises
    ------
    InputError
        If dask.distributed is not installed, or nothing answers there.
    """

    def __init__(self, scheduler: str) -> None:
        self._scheduler = scheduler
        self._client = connect(scheduler, "a sweep")
        # What it says of a scheduler that is gone are tracebacks. It is told once, as an error.
        self._silenced = [logger for logger in _loggers() if not logger.disabled]
        for logger in self._silenced:
            logger.disabled = True
        self._distributed: Any = importlib.import_module("distributed")
        self._stop_event = f"spikewright-stop-{secrets.token_hex(8)}"
        self._futures: dict[str, Any] = {}
        self._workers: dict[str, list[str]] = {}
        self._looked = -_LOOK_SECONDS

    @property
    def free(self) -> int:
        # All are handed over at once: the scheduler knows its workers, also those that join later.
        return 1

    def submit(self, name: str, job: Job) -> None:
        key = f"{name}-{self._stop_event}"
        self._futures[name] = self._client.submit(train_on_worker, job, self._stop_event, key=key, pure=False)

    def ended(self) -> list[tuple[str, Ending]]:
        """Those that ended since the last call.

        Raises
        ------
        ToolTrouble
            If the scheduler is gone.
        """
        self._look_at_workers()
        # A client that finds its scheduler again, or another at its address, has lost all that it had handed over.
        if self._client.status != "running" or any(future.cancelled() for future in self._futures.values()):
            raise ToolTrouble(
                f"scheduler {self._scheduler} must stay until the sweep ends, but is gone; "
                "the same command continues it"
            )
        found = []
        for name, future in list(self._futures.items()):
            if not future.done():
                continue
            del self._futures[name]
            try:
                found.append((name, future.result()))
            except Exception as error:  # noqa: BLE001 - whatever the cluster raises, it is one point that failed
                found.append((name, Ending("crashed", _reason(error))))
        return found

    def _look_at_workers(self) -> None:
        """Tell which workers have been lost, and what they had to train."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            present = {worker: list(keys) for worker, keys in self._client.processing().items()}
        except Exception:  # noqa: BLE001 - whatever the cluster raises, the state of the client tells
            return
        names = {future.key: name for name, future in self._futures.items()}
        for worker in self._workers.keys() - present.keys():
            trained = [names[key] for key in self._workers[worker] if key in names]
            if not trained:
                continue  # It has left in peace.
            waiting = "others go on with" if present else "no worker is left, and until one comes, nobody goes on with"
            warn(f"worker {worker} is lost; {waiting} {', '.join(trained)}")
        self._workers = present

    def stop(self) -> None:
        with suppress(Exception):
            if self._futures and self._client.status == "running":
                self._distributed.Event(self._stop_event, client=self._client).set()
                waiting = [future for future in self._futures.values() if future.status == "pending"]
                self._distributed.wait(waiting, timeout=_STOP_SECONDS)
        self._client.close()
        for logger in self._silenced:
            logger.disabled = False


def _loggers() -> list[logging.Logger]:
    """All of distributed: each has a level of its own."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    return [logging.getLogger(name) for name in names]


def _reason(error: Exception) -> str:
    """One line on what the cluster raised in place of an ending."""
    if type(error).__name__ == "KilledWorker":
        return "its worker was lost, and so were the others that tried it"
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
