import logging

import pytest

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.learn.config import load_config
from spikewright.sweep.dask import DaskExecutor, train_on_worker
from spikewright.sweep.run import Grid, sweep
from spikewright.sweep.worker import Ending, Job
from tiny_training import write_all

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster


def test_a_cluster_trains_the_grid(tiny, cluster, tmp_path):
    grid = Grid(lambdas=[0.02])
    report = sweep(tiny[0], tiny[1], tmp_path, grid, settings={"epochs": "1"}, scheduler=cluster.scheduler_address)
    assert (report["finished"], report["failed"]) == (1, 0)
    assert (tmp_path / "adabreg-lam0.02-none-seed0" / "checkpoint.safetensors").is_file()


def test_a_stopped_sweep_stops_its_trainings(tiny, cluster, tmp_path):
    executor = DaskExecutor(cluster.scheduler_address)
    config = load_config(tiny[0], {"epochs": "100000"}).to_dict()
    executor.submit("endless", Job(config, str(tiny[1]), str(tmp_path / "endless"), 1))
    log = tmp_path / "endless" / "log.jsonl"
    while not log.exists() or not log.read_bytes():
        assert executor.ended() == []
    executor.stop()
    epochs = log.read_bytes().count(b"\n")
    assert not (tmp_path / "endless" / "result.json").exists()
    assert log.read_bytes().count(b"\n") == epochs


class Future:
    def __init__(self, key, error=None):
        self.key, self.error, self.status = key, error, "pending"

    def done(self):
        return self.status != "pending"

    def cancelled(self):
        return self.status == "cancelled"

    def result(self):
        raise self.error


class Client:
    """A cluster whose workers come and go at once."""

    def __init__(self):
        self.status, self.workers, self.futures = "running", {}, []

    def submit(self, function, *arguments, key, pure):
        self.futures.append(Future(key))
        return self.futures[-1]

    def processing(self):
        if self.status != "running":
            raise OSError("closed")
        return self.workers

    def close(self):
        self.status = "closed"


@pytest.fixture
def fake(monkeypatch):
    client = Client()
    monkeypatch.setattr("spikewright.sweep.dask.connect", lambda scheduler, what: client)
    monkeypatch.setattr("spikewright.sweep.dask._LOOK_SECONDS", 0.0)
    executor = DaskExecutor("tcp://here:1")
    for name in ("one", "two"):
        executor.submit(name, Job({}, "data", "out", 1))
    yield client, executor
    executor.stop()


def test_a_lost_worker_is_told_with_what_it_trained(fake, capsys):
    client, executor = fake
    one, two = (future.key for future in client.futures)
    client.workers = {"tcp://a:1": [one], "tcp://b:2": (two,), "tcp://idle:3": []}
    assert executor.ended() == []
    client.workers = {"tcp://b:2": [one, two]}
    assert executor.ended() == []
    assert capsys.readouterr().err == (
        "spikewright: warning: worker tcp://a:1 is lost; others go on with one\n"  # and the idle one just left
    )
    client.workers = {}
    assert executor.ended() == executor.ended() == []
    assert capsys.readouterr().err == (
        "spikewright: warning: worker tcp://b:2 is lost; no worker is left, and until one comes, nobody goes on with "
        "one, two\n"
    )


@pytest.mark.parametrize("status", ["connecting", "running"])
def test_a_scheduler_that_is_gone_ends_the_sweep_in_one_line(fake, status):
    client, executor = fake
    # The client loses its futures, and may have found the next scheduler at the same address since.
    client.status, client.futures[1].status = status, "cancelled"
    with pytest.raises(ToolTrouble) as error:
        executor.ended()
    assert str(error.value) == (
        "scheduler tcp://here:1 must stay until the sweep ends, but is gone; the same command continues it"
    )


def test_distributed_says_nothing_itself_meanwhile(fake, capsys):
    _, executor = fake
    logger = logging.getLogger("distributed.client")
    assert logger.disabled
    executor.stop()
    assert not logger.disabled


def test_a_training_that_takes_its_workers_along_has_crashed(fake):
    client, executor = fake
    client.futures[0].status, client.futures[0].error = "error", distributed.KilledWorker("one", None, 3)
    [(name, ending)] = executor.ended()
    assert (name, ending.status) == ("one", "crashed")
    assert ending.message == "its worker was lost, and so were the others that tried it"


def test_a_training_waits_for_that_of_a_lost_worker_to_end(monkeypatch):
    jobs = []

    def training(job):
        jobs.append(job)
        raise InputError("not now")

    monkeypatch.setattr("spikewright.sweep.dask.Training", training)
    monkeypatch.setattr(distributed, "Event", lambda name: None)
    assert train_on_worker(Job({}, "data", "out", 1), "stop") == Ending("refused", "not now")
    assert jobs[0].patience == 60.0
