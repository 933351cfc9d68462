"""Work on the workers of a Dask cluster."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from spikewright.contract.errors import CheckFailed, InputError

_CONNECT_SECONDS = 10


def connect(scheduler: str, what: str) -> Any:
    """A client of the cluster of a scheduler, to be closed.

    Parameters
    ----------
    scheduler : str
        Address, as `tcp://host:8786`.
    what : str
        What needs the cluster, for the message if dask.distributed is missing.

    Raises
    ------
    InputError
        If dask.distributed is not installed, or nothing answers there.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise InputError(
            f"{what} on a cluster needs dask.distributed, which is not installed: pip install 'spikewright[dask]'"
        ) from None
    try:
        return distributed.Client(scheduler, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError):
        raise InputError(f"scheduler must be the address of a running Dask scheduler, not {scheduler}") from None


def threads(client: Any) -> int:
    """Threads of all workers together, which is how many calls run at once; at least 1."""
    return max(1, sum(map(int, client.nthreads().values())))


def call_all(
    client: Any, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], done: Callable[[int], None]
) -> list[Any]:
    """Call a function on the workers, once for each tuple of arguments; the results in the order of the calls.

    A call whose worker is lost runs again on another, so a call must leave nothing behind that it would trip over.

    Parameters
    ----------
    client
        What `connect` returned.
    function : callable
        A function of a module that the workers can import.
    calls : sequence of tuples
    done : callable
        Is told the index of every call that has ended, in the order in which they end.

    Raises
    ------
    InputError, CheckFailed
        As the function raises them; CheckFailed if a worker fails in any other way. The calls that wait are cancelled.
    """
    distributed: Any = importlib.import_module("distributed")
    futures = [client.submit(function, *arguments, pure=False) for arguments in calls]
    index = {future.key: number for number, future in enumerate(futures)}
    results: list[Any] = [None] * len(futures)
    try:
        for future in distributed.as_completed(futures):
            try:
                results[index[future.key]] = future.result()
            except (InputError, CheckFailed) as error:
                raise type(error)(f"on a worker of the cluster, {error}") from None
            except Exception as error:  # whatever the cluster raises, the call was not made
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                raise CheckFailed(f"a worker of the cluster failed: {reason}") from None
            done(index[future.key])
    finally:
        with suppress(Exception):
            client.cancel([future for future in futures if not future.done()], force=True)
    return results
