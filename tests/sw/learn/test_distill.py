"""Soft targets by other networks: the loss, the teachers, and trainings that resume with them."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import tiny_training
from spikewright.contract.errors import InputError
from spikewright.data.shd import load_split
from spikewright.learn import run as module
from spikewright.learn.checkpoint import load_checkpoint, read_checkpoint, read_network
from spikewright.learn.config import Config, load_config
from spikewright.learn.distill import Teachers, distillation_loss
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.train import train
from spikewright.support.files import sha256

TEACHER = {
    "layers": "[]", "convolutions": "2", "optimizer": "adam", "epochs": "3", "schedule": "onecycle",
    "label_smoothing": "0.1", "weight_decay": "0.01",
}  # fmt: skip
STUDENT = {"epochs": "3", "optimizer": "adam", "weight": "0.6", "temperature": "2"}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tiny_training.write_all(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def teacher(words: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    train(words[0], words[1], folder, TEACHER)
    return folder / "checkpoint.safetensors"


def student(words: tuple[Path, Path], *teachers: Path | str, **settings: str) -> Config:
    names = ", ".join(f'"{path}"' for path in teachers)
    return load_config(words[0], {**STUDENT, "teachers": f"[{names}]", **settings})


def test_the_loss_is_the_divergence_times_the_squared_temperature() -> None:
    logits = [[0.0, 2.0], [1.0, -1.0]]
    target = [[0.25, 0.75], [1.0, 0.0]]
    expected = 0.0
    for row, wanted in zip(logits, target, strict=True):
        total = sum(math.exp(value / 3.0) for value in row)
        expected += 9.0 * sum(
            p * math.log(p / (math.exp(v / 3.0) / total)) for v, p in zip(row, wanted, strict=True) if p
        )
    assert float(distillation_loss(torch.tensor(logits), torch.tensor(target), 3.0)) == pytest.approx(expected)


def test_a_network_that_answers_as_its_teacher_has_no_loss() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert float(distillation_loss(logits, (logits / 2).softmax(1), 2.0)) == pytest.approx(0.0, abs=1e-5)


def test_probabilities_are_the_mean_of_the_teachers(words: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    train(words[0], words[1], tmp_path, {"epochs": "1"})
    spiking = tmp_path / "checkpoint.safetensors"
    values = torch.rand(12, 10, 7, generator=torch.Generator().manual_seed(0))
    alone = []
    for path, scale in ((teacher, 5.0), (spiking, 5.0)):
        network, _, _ = read_network(path)
        alone.append((network._run_transposed(values)[1] * (scale / 12) / 2.0).softmax(1))
    both = Teachers(student(words, teacher, spiking), torch.device("cpu")).probabilities(values)
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)


def test_a_student_learns_from_its_teachers_alone(words: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    config = student(words, teacher, weight="1", epochs="12", keep="last")
    train(config, words[1], tmp_path)
    values = torch.from_numpy(load_split(words[1], "train", timesteps=12, bin_width=70).counts).permute(1, 2, 0).float()
    target = Teachers(config, torch.device("cpu")).probabilities(values)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        untrained = SpikingNetwork(config.network).eval()
    trained = load_checkpoint(tmp_path / "checkpoint.safetensors")
    with torch.no_grad():
        before, after = (
            float(distillation_loss(network._run_transposed(values)[1] * (5.0 / 12), target, 2.0))
            for network in (untrained, trained)
        )
    assert after < 0.7 * before


def test_the_weight_shares_the_loss_between_labels_and_teachers(
    words: tuple[Path, Path], teacher: Path, tmp_path: Path
) -> None:
    losses = {}
    for weight in ("0", "0.25", "1"):
        # One batch: the loss of the epoch is that of the first weights.
        settings = {"weight": weight, "epochs": "1", "batch": "64"}
        train(student(words, teacher, **settings), words[1], tmp_path / weight)
        losses[weight] = json.loads((tmp_path / weight / "log.jsonl").read_text())["loss"]
    assert losses["0.25"] == pytest.approx(0.75 * losses["0"] + 0.25 * losses["1"])
    alone = load_config(words[0], {"optimizer": "adam", "epochs": "1", "batch": "64"})
    train(alone, words[1], tmp_path / "none")
    assert losses["0"] == json.loads((tmp_path / "none" / "log.jsonl").read_text())["loss"]


def test_teachers_do_not_change(words: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    before = sha256(teacher)
    teachers = Teachers(student(words, teacher), torch.device("cpu"))
    values = torch.rand(12, 10, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    state = {name: tensor.clone() for name, tensor in teachers.networks()[0].state_dict().items()}
    assert not teachers.probabilities(values).requires_grad
    assert not any(p.requires_grad for p in teachers.networks()[0].parameters())
    for name, tensor in teachers.networks()[0].state_dict().items():
        assert torch.equal(tensor, state[name]), name
    train(student(words, teacher, epochs="1"), words[1], tmp_path)
    assert sha256(teacher) == before
    assert read_checkpoint(tmp_path / "checkpoint.safetensors")[2]["teachers"] == {str(teacher): before}


@pytest.mark.parametrize("of", ["teacher", "student"])
def test_resumes_with_the_same_weights(
    words: tuple[Path, Path], teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    config = load_config(words[0], TEACHER) if of == "teacher" else student(words, teacher)
    train(config, words[1], tmp_path / "unbroken")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train(config, words[1], tmp_path / "resumed")
    train(config, words[1], tmp_path / "resumed")
    for name in ("checkpoint.safetensors", "state.safetensors"):
        one, other = (load_file(tmp_path / folder / name) for folder in ("unbroken", "resumed"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def stop_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Make a training fail, as if killed, when it begins the epoch after `epochs`."""
    original = module.Run.train_epoch

    def train_epoch(self: module.Run, epoch: int) -> None:
        if epoch == epochs:
            raise KeyboardInterrupt
        original(self, epoch)

    monkeypatch.setattr(module.Run, "train_epoch", train_epoch)


def test_another_teacher_does_not_resume(words: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    shutil.copy(teacher, path)
    config = student(words, path)
    train(config, words[1], tmp_path / "run")
    train(words[0], words[1], tmp_path / "other", {"epochs": "1"})
    shutil.copy(tmp_path / "other" / "checkpoint.safetensors", path)
    with pytest.raises(InputError) as error:
        train(config, words[1], tmp_path / "run")
    assert str(error.value) == f"{path} must be the teacher that {tmp_path / 'run'} began with, not another one"


def test_teachers_that_do_not_fit(words: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    missing, wrong = tmp_path / "missing", tmp_path / "wrong"
    wrong.write_bytes(b"no tensors")
    for path, settings, message in (
        (missing, {}, f"{missing}: no such file"),
        (wrong, {}, f"{wrong}: not a readable safetensors file ("),
        (teacher, {"classes": "4"}, f"{teacher}: network.classes must be the student's 4, not 3"),
        (teacher, {"timestep": "0.02"}, f"{teacher}: network.timestep must be the student's 0.02, not 0.01"),
    ):
        with pytest.raises(InputError) as error:
            train(student(words, path, **settings), words[1], tmp_path / "run")
        assert str(error.value).startswith(message)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
