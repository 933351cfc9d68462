import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_files import write_recordings
from spikewright.contract.errors import InputError
from spikewright.learn.train import train
from spikewright.support import parallel
from spikewright.support.parallel import BatchNorm1d, Part, Processes, bernoulli, choose_device, launched

# Batches of 15 and a last one of 1 (left out): parts of unequal size. All that is random or not linear in the batch.
CONFIG = """
[network]
inputs = 10
classes = 3
timesteps = 20
bin_width = 70

[[network.layers]]
neurons = 24
dropout = 0.1

[[network.layers]]
neurons = 24
recurrent = true
delay_low = 0
delay_high = 6
max_delay = 8
recurrent_dropout = 0.1

[training]
epochs = 2
batch = 15
lr = 0.01
density = 0.6
target_sparsity = 0.6
sigma = 2.0
logit_scale = 5.0
label_smoothing = 0.1
rate_penalty = 0.5
clip = 1.0

[augment]
channel_shift = 0.5
time_shift = 1
drop = 0.2
mix = 0.2
"""


def torchrun(count: int, *argv: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, "-m", "spikewright", *map(str, argv)], env=environment, capture_output=True, text=True, check=False
    )


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    write_recordings(tmp_path / "shd_train.h5", 51, classes=3, seconds=0.2)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    alone = train(config, tmp_path, tmp_path / "one")
    result = torchrun(2, "train", config, "--data", tmp_path, "--out", tmp_path / "two", "--json", "--device", "cpu")
    assert result.returncode == 0, result.stderr
    together = json.loads(result.stdout)  # printed once
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert result.stderr.count("epoch 2 of ") == 1
    changing = ("schema", "version", "seconds", "checkpoint", "processes", "rates")
    assert {k: v for k, v in alone.items() if k not in changing} == {
        k: v for k, v in together.items() if k not in changing
    }
    for name in ("state.safetensors", "checkpoint.safetensors"):
        one, two = (load_file(tmp_path / folder / name) for folder in ("one", "two"))
        assert one.keys() == two.keys()
        assert any(not torch.equal(one[key], torch.zeros_like(one[key])) for key in one)
        for key in one:
            assert torch.allclose(one[key].double(), two[key].double(), rtol=0, atol=1e-5), key
            assert torch.equal(one[key] == 0, two[key] == 0) or key.endswith(("bias", "exp_avg", "shadow")), key
    logs = [
        [json.loads(line) for line in (tmp_path / folder / "log.jsonl").read_text().splitlines()]
        for folder in ("one", "two")
    ]
    for one_epoch, two_epoch in zip(*logs, strict=True):
        assert one_epoch["loss"] == pytest.approx(two_epoch["loss"], abs=1e-5)
        assert one_epoch["rates"] == pytest.approx(two_epoch["rates"], abs=1e-4)


def test_parts_make_up_the_batch() -> None:
    for total in (0, 1, 2, 7, 8):
        parts = [Processes(rank, 3).part(total) for rank in range(3)]
        assert [index for part in parts for index in range(part.start, part.stop)] == list(range(total))
        assert max(p.stop - p.start for p in parts) - min(p.stop - p.start for p in parts) <= 1
    assert Processes().part(5) == Part(0, 5, 5)


def test_a_part_s_dropout_is_that_of_the_whole_batch() -> None:
    torch.manual_seed(1)
    whole = bernoulli(torch.empty(6, 10), 0.5)
    parts = []
    for rank in range(3):
        torch.manual_seed(1)
        part = Processes(rank, 3).part(10)
        with Processes(rank, 3).share(part):
            parts.append(bernoulli(torch.empty(6, part.stop - part.start), 0.5))
    assert torch.equal(torch.cat(parts, dim=1), whole)
    assert 0 < whole.mean() < 1
    torch.manual_seed(1)
    assert torch.equal(bernoulli(torch.empty(6, 10), 0.5), whole)  # nothing of the shares is left


def test_batch_norm_over_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    # A second process whose samples are known: its sums are added where the exchange would be.
    torch.manual_seed(2)
    whole = torch.randn(5, 4, 7) * 3 + 1
    mine, other = whole[:, :, :3], whole[:, :, 3:]
    mean = whole.mean(dim=(0, 2))
    sums = iter([other.sum(dim=(0, 2)), (other - mean[:, None]).square().sum(dim=(0, 2))])
    monkeypatch.setattr(parallel.dist, "all_reduce", lambda tensor: tensor.add_(next(sums)))
    norm, expected = BatchNorm1d(4), torch.nn.BatchNorm1d(4)
    with Processes(0, 2).share(Part(0, 3, 7)):
        found = norm(mine)
    assert torch.allclose(found, expected(whole)[:, :, :3], atol=1e-6)
    for key, value in expected.state_dict().items():
        assert torch.allclose(norm.state_dict()[key], value), key
    # Alone, and when it is evaluated, it is PyTorch's.
    assert torch.equal(norm.eval()(whole), expected.eval()(whole)) or torch.allclose(norm(whole), expected(whole))


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError) as error:
        choose_device("cuda")
    assert str(error.value) == "device must be cpu for process 0 of a machine with 0 CUDA GPUs, not cuda"
    with pytest.raises(InputError) as error:
        choose_device("tpu")
    assert str(error.value) == "device must be one of cpu, cuda, cuda-graph, auto, not tpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert choose_device("auto") == choose_device("cuda") == choose_device("cuda-graph") == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert choose_device("auto") == torch.device("cpu")


def test_processes_are_those_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert launched() == Processes(0, 1)  # variables of another launcher
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    assert launched() == Processes(1, 4)
    assert not launched().primary
