import pytest

from spikewright.learn.config import load_config
from spikewright.sweep.dask import DaskExecutor
from spikewright.sweep.run import Grid, sweep
from spikewright.sweep.worker import Job
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
