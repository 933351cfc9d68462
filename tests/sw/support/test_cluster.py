import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from spikewright.contract.errors import CheckFailed, InputError
from spikewright.support import cluster
from spikewright.support.cluster import call_all, connect, threads

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as local,
        connect(local.scheduler_address, "a test") as client,
    ):
        yield client


begun: list[int] = []  # the workers of the tests are threads


def work(number: int, seconds: float = 0.0) -> int:
    begun.append(number)
    time.sleep(seconds)
    if number < 0:
        raise InputError(f"number must be at least 0, not {number}")
    if number > 99:
        raise ArithmeticError(f"{number} is\nlarge")
    return number * number


def test_results_come_in_the_order_of_the_calls(client: Any) -> None:
    ended: list[int] = []
    assert call_all(client, work, [(3, 0.5), (2, 0.0), (5,)], ended.append) == [9, 4, 25]
    assert sorted(ended) == [0, 1, 2]


def test_a_cluster_runs_a_call_per_thread(client: Any) -> None:
    assert threads(client) == 2


def test_an_error_of_the_user_is_one_here_too(client: Any) -> None:
    with pytest.raises(InputError) as error:
        call_all(client, work, [(1,), (-1,)], lambda index: None)
    assert str(error.value) == "on a worker of the cluster, number must be at least 0, not -1"


def test_any_other_error_fails_the_check(client: Any) -> None:
    with pytest.raises(CheckFailed) as error:
        call_all(client, work, [(100,)], lambda index: None)
    assert str(error.value) == "a worker of the cluster failed: ArithmeticError: 100 is large"


def test_what_waits_is_cancelled(client: Any) -> None:
    begun.clear()
    with pytest.raises(InputError):
        call_all(client, work, [(-1,), *((k, 0.5) for k in range(50))], lambda index: None)
    time.sleep(1.5)
    assert len(begun) < 25
    assert call_all(client, work, [(7,)], lambda index: None) == [49]


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.2)
    with pytest.raises(InputError) as error:
        connect("tcp://127.0.0.1:1", "a sweep")
    assert str(error.value) == "scheduler must be the address of a running Dask scheduler, not tcp://127.0.0.1:1"


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError) as error:
        connect("tcp://127.0.0.1:8786", "a sweep")
    assert str(error.value) == (
        "a sweep on a cluster needs dask.distributed, which is not installed: pip install 'spikewright[dask]'"
    )
