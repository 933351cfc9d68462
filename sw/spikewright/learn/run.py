"""One training: its parts, an epoch of it, and its folder."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikewright import __version__
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.learn.augment import Augmenter
from spikewright.learn.captured import captured
from spikewright.learn.checkpoint import build_network, load_weights, save_checkpoint
from spikewright.learn.config import Config, TrainingConfig
from spikewright.learn.distill import Teachers
from spikewright.learn.journal import SPARSITY_TOLERANCE, choice, line, news, reason
from spikewright.learn.objective import training_loss, validate
from spikewright.learn.recipe import make_controller, make_optimizer, rate_factor, sigma_at
from spikewright.learn.samples import Samples
from spikewright.learn.sparsity import sparsity
from spikewright.learn.state import STATE, load_state, save_state
from spikewright.learn.tensorboard import TensorBoard
from spikewright.support.files import DIVERGED, RESULT, atomic_path, write_json
from spikewright.support.parallel import Processes
from spikewright.support.progress import bar, duration, say
from spikewright.support.tensors import first_argmax


class Run:
    """State of a training, its folder, and one epoch of it."""

    def __init__(
        self,
        config: Config,
        training: Samples,
        validation: Samples,
        out_dir: Path,
        device: torch.device,
        group: Processes,
        graphs: bool = False,
    ) -> None:
        self.config, self.training, self.validation, self.out_dir = config, training, validation, out_dir
        self.device, self.group = device, group
        settings = config.training
        if config.network.convolutions and group.world > 1:
            raise InputError(f"a convolutional network must be trained by one process, not {group.world}")
        self.teachers = Teachers(config, device)
        self.network = build_network(config.network, settings.density if settings.optimizer != "adam" else 1.0)
        self.network.to(device)
        self.passes: Callable[[Tensor], tuple[list[Tensor], Tensor]] = self.network._run_transposed
        if graphs:
            self.passes = captured(self.network, group)
        self.matrices = self.network.weight_matrices()
        self.optimizer = make_optimizer(self.network, settings)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.controller = make_controller(self.optimizer, settings)
        self.augmenter = Augmenter(training.counts, training.labels, config.augment)
        self.epoch = 0
        self.steps = -(-len(training) // settings.batch)
        self.best: dict[str, Any] = {}
        self.most_accurate: dict[str, Any] = {}
        self.sigma = math.inf
        self.lengthened: list[dict[str, int]] = []
        self.origin: dict[str, str] = {}
        self.seconds = 0.0
        self.state_path = out_dir / STATE
        self.log_path = out_dir / "log.jsonl"
        self.bar = bar(show=False)
        self.news: dict[str, str] = {}
        self.board: TensorBoard | None = None
        self.begun = (0, 0.0)
        """Epochs and seconds that were done when this process began."""

    @property
    def target(self) -> float:
        """Sparsity that the training is steered to; 0 if to none."""
        return 0.0 if self.controller is None else self.controller.target

    # ---- one epoch

    def train_epoch(self, epoch: int) -> None:
        settings = self.config.training
        began = time.monotonic()
        # Everything random in an epoch follows from the seed and its number: resuming needs no generator state.
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
        torch.manual_seed(settings.seed * 1_000_003 + epoch)
        # In a run that was lengthened, sigma waits until that of the longer run has come down to it.
        self.sigma = sigma = min(self.sigma, sigma_at(settings, epoch))
        self.network.set_sigma(sigma)
        self.network.train()
        order = torch.randperm(len(self.training), generator=generator)
        self.bar = bar(total=self.steps, desc=f"epoch {epoch + 1}/{settings.epochs}", show=self.group.primary)
        total = correct = 0.0
        for number, index in enumerate(torch.split(order, settings.batch)):
            if len(index) < 2:
                continue  # a batch norm over one sample of one step would not be defined
            loss, hits = self._step(index, generator, epoch * self.steps + number)
            total += loss * len(index)
            correct += hits
            self.bar.update()
            self.bar.set_postfix({"loss": f"{loss:.3f}", **self.news}, refresh=False)
        self.bar.close()
        self._check_weights(epoch)
        entry = self._entry(epoch, sigma, total / len(self.training), correct / len(self.training))
        if self.controller is not None:
            self.controller.step()
        self.epoch = epoch + 1
        self.seconds += time.monotonic() - began
        entry["seconds"] = round(self.seconds, 3)
        self._keep_if_best(entry)
        self._save(entry)

    def _step(self, index: Tensor, generator: torch.Generator, step: int) -> tuple[float, int]:
        settings = self.config.training
        total = settings.epochs * self.steps
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * rate_factor(settings.schedule, step, total)
        # Every process draws the whole batch, as everything random must be the same for any number of them.
        part = self.group.part(len(index))
        labels = self.training.labels[index][part.start : part.stop].to(self.device)
        values = self.augmenter.batch(index, generator)[:, :, part.start : part.stop].to(self.device)
        with self.group.share(part):
            spikes, scores = self.passes(values.contiguous())
        target = self.teachers.probabilities(values) if self.config.distillation.teachers else None
        loss = training_loss(self.config, spikes, scores, labels, target, self.group, part)
        hits = (first_argmax(scores) == labels).sum()
        value, correct = self.group.sum(torch.stack([loss.detach().double(), hits.double()])).tolist()
        if not math.isfinite(value):
            raise CheckFailed(
                f"training diverged in epoch {step // self.steps + 1}: the loss is {value}; lower lr or lam"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.group.sum_gradients(list(self.network.parameters()))
        if settings.clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimizer.step()
        self.network.limit_delays()
        return value, int(correct)

    def _check_weights(self, epoch: int) -> None:
        for name, p in self.network.named_parameters():
            if not bool(torch.isfinite(p).all()):
                raise CheckFailed(f"training diverged in epoch {epoch + 1}: {name} is not finite; lower lr or lam")
        for name, weight in self.matrices.items():
            if not bool(weight.any()):
                raise CheckFailed(f"training diverged in epoch {epoch + 1}: all of {name} is zero; lower lam or lr")

    def _entry(self, epoch: int, sigma: float, loss: float, accuracy: float) -> dict[str, Any]:
        group = self.optimizer.param_groups[0]
        validation_loss, validation_accuracy, rates = validate(
            self.network, self.validation, self.config.training.logit_scale, group=self.group
        )
        return {
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": accuracy,
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
            "sparsity": sparsity(self.matrices.values()),
            "lam": group["reg"].lam if "reg" in group else 0.0,
            "sigma": sigma,
            "lr": group["lr"],
            "rates": rates,
            **({"start": self.origin} if self.origin else {}),
            **({"teachers": self.teachers.sha256} if self.teachers.sha256 else {}),
            **({"lengthened": self.lengthened} if self.lengthened else {}),
        }

    def _keep_if_best(self, entry: dict[str, Any]) -> None:
        """Once the full target sparsity has been asked for, only epochs that about reach it count."""
        asked = self.controller is None or self.controller.calls >= self.controller.ramp
        sparse = self.controller is None or entry["sparsity"] >= self.controller.target - SPARSITY_TOLERANCE
        entry["candidate"] = asked and sparse
        rank = (asked and sparse, entry["validation_accuracy"], -entry["validation_loss"])
        if not self.most_accurate or tuple(self.most_accurate["rank"]) < rank[1:]:
            top = {"epoch": entry["epoch"], "accuracy": entry["validation_accuracy"], "sparsity": entry["sparsity"]}
            self.most_accurate = {"rank": list(rank[1:]), **top}
        keeps_last = self.config.training.keep == "last"
        if self.best and tuple(self.best["rank"]) >= rank and not keeps_last:
            return
        self.best = {"rank": list(rank), **entry}
        if not self.group.primary:
            return
        save_checkpoint(self.out_dir / "checkpoint.safetensors", self.network, self.config, entry)

    # ---- the folder

    def start_log(self) -> None:
        """Write the configuration, and cut the log back to the epochs that the state has seen."""
        if not self.group.primary:
            return
        if not self.epoch:
            self.state_path.unlink(missing_ok=True)  # of an earlier run: nobody may continue that one by mistake
        if self.epoch < self.config.training.epochs:
            for name in (RESULT, DIVERGED):  # by a sweep, and about to be outdated
                (self.out_dir / name).unlink(missing_ok=True)
        write_json(self.out_dir / "config.json", self.config.to_dict())
        # As bytes: what an interrupted or damaged run left in there is for those who read the log.
        lines = self.log_path.read_bytes().splitlines()[: self.epoch] if self.epoch and self.log_path.is_file() else []
        with atomic_path(self.log_path) as temporary:
            temporary.write_bytes(b"".join(line + b"\n" for line in lines))

    def _save(self, entry: dict[str, Any]) -> None:
        if not self.group.primary:
            return
        progress = {
            "spikewright": __version__,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "best": self.best,
            "lam": entry["lam"] if self.controller is None else self.controller.group["reg"].lam,
            "controller": self.controller.state_dict() if self.controller else {},
            "ramp": self.controller.ramp if self.controller else 0,
            "sigma": self.sigma,
            "most_accurate": self.most_accurate,
            "lengthened": self.lengthened,
            "start": self.origin,
            "teachers": self.teachers.sha256,
        }
        if self.board is not None:
            # Before the state: an epoch that is done again is written again, and none is missed.
            self.board.write(entry, self.matrices)
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry, allow_nan=False) + "\n")
        save_state(self.state_path, self.config, self.network, self.optimizer, progress)
        epochs, done = self.config.training.epochs, self.epoch - self.begun[0]
        left = (self.seconds - self.begun[1]) / done * (epochs - self.epoch)
        self.news = {**news(entry, self.target), "left": duration(left)}
        say(line(entry, self.target, epochs, left))

    def begin_with(self, checkpoint: str) -> None:
        """Take the weights of a trained network, and note which."""
        self.origin = {checkpoint: load_weights(self.network, checkpoint)}

    def restore(self) -> None:
        """Continue from `state.safetensors`."""
        path = self.state_path
        stored_config, progress = load_state(path, self.config, self.network, self.optimizer)
        for teacher, digest in self.teachers.sha256.items():
            if progress.get("teachers", {}).get(teacher) != digest:
                raise InputError(f"{teacher} must be the teacher that {self.out_dir} began with, not another one")
        try:
            self.epoch, self.seconds = int(progress["epoch"]), float(progress["seconds"])
            self.begun = (self.epoch, self.seconds)
            self.best = dict(progress["best"])
            if self.best:
                best = [self.best[name] for name in ("epoch", "validation_accuracy", "sparsity")]
                if not all(
                    isinstance(value, int | float) for value in (*best, *self.best["rank"], *self.best["rates"])
                ):
                    raise TypeError("best must be of numbers")
            self.origin = dict(progress.get("start", {}))
            if self.controller is not None:
                self.controller.group["reg"].lam = float(progress["lam"])
                self.controller.load_state_dict(progress["controller"])
            self._lengthen(stored_config.training, progress)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: metadata 'progress' is damaged ({error})") from None
        if self.group.primary:
            made = progress.get("spikewright", "unknown")
            another = "" if made == __version__ else f", which version {made!s:.20} trained, with version {__version__}"
            say(f"resuming {self.out_dir} after epoch {self.epoch}{another}")

    def _lengthen(self, stored: TrainingConfig, progress: dict[str, Any]) -> None:
        """Go on as a run of the present number of epochs would, but never back with sigma or the target sparsity."""
        epochs = self.config.training.epochs
        self.sigma = float(progress.get("sigma", sigma_at(stored, max(0, self.epoch - 1))))
        self.most_accurate = dict(progress.get("most_accurate", {}))
        self.lengthened = list(progress.get("lengthened", []))
        if self.controller is not None:
            begun = int(progress.get("ramp", max(1, round(stored.sparsity_ramp * stored.epochs))))
            self.controller.ramp = min(self.controller.ramp, begun)
        if epochs < self.epoch:
            raise InputError(f"epochs must be at least {self.epoch}, those that {self.out_dir} has done, not {epochs}")
        if epochs != stored.epochs and epochs > self.epoch:
            self.lengthened.append({"after": self.epoch, "epochs": stored.epochs})

    def report(self) -> dict[str, Any]:
        best = self.best
        top = (
            {key: self.most_accurate[key] for key in ("epoch", "accuracy", "sparsity")} if self.most_accurate else None
        )
        return {
            "checkpoint": str(self.out_dir / "checkpoint.safetensors"),
            "epochs": self.epoch,
            "best_epoch": best["epoch"],
            "most_accurate": top,
            "choice": choice(best, self.most_accurate, self.config.training, self.controller),
            "reason": reason(best, self.config.training, self.controller),
            "accuracy": best["validation_accuracy"],
            "sparsity": best["sparsity"],
            "rates": best["rates"],
            "training_samples": len(self.training),
            "validation_samples": len(self.validation),
            "seconds": round(self.seconds, 1),
            "device": str(self.device),
            "processes": self.group.world,
        }
