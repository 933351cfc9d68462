"""Trainings of a sweep on the workers of a Dask cluster."""

from __future__ import annotations

import importlib
import os
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Any

from spikewright.contract.errors import InputError
from spikewright.support.cluster import connect
from spikewright.sweep.worker import Ending, Job, Training

_STOP_SECONDS = 20


def train_on_worker(job: Job, stop_event: str) -> Ending:
    """Run a training in a process of its own on the worker's machine, until it ends or the sweep stops."""
    distributed: Any = importlib.import_module("distributed")
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdecimal() and int(asked) else 1
    stop = distributed.Event(stop_event)
    try:
        run = Training(replace(job, threads=threads))
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
        self._client = connect(scheduler, "a sweep")
        self._distributed: Any = importlib.import_module("distributed")
        self._stop_event = f"spikewright-stop-{secrets.token_hex(8)}"
        self._futures: dict[str, Any] = {}

    @property
    def free(self) -> int:
        # All are handed over at once: the scheduler knows its workers, also those that join later.
        return 1

    def submit(self, name: str, job: Job) -> None:
        key = f"{name}-{self._stop_event}"
        self._futures[name] = self._client.submit(train_on_worker, job, self._stop_event, key=key, pure=False)

    def ended(self) -> list[tuple[str, Ending]]:
        found = []
        for name, future in list(self._futures.items()):
            if not future.done():
                continue
            del self._futures[name]
            try:
                found.append((name, future.result()))
            except Exception as error:  # noqa: BLE001 - whatever the cluster raises, it is one point that failed
                found.append((name, Ending("crashed", " ".join(f"{type(error).__name__}: {error}".split())[:300])))
        return found

    def stop(self) -> None:
        with suppress(Exception):
            if self._futures:
                self._distributed.Event(self._stop_event, client=self._client).set()
                waiting = [future for future in self._futures.values() if future.status == "pending"]
                self._distributed.wait(waiting, timeout=_STOP_SECONDS)
        self._client.close()
