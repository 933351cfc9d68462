"""Devices, and several processes that train one network with equal results.

Started by `torchrun --nproc-per-node N -m spikewright train ...`, every process takes an equal part of each batch.
What is random is drawn on the CPU for the whole batch, by every process alike, and then cut: so neither the device nor
the number of processes changes it. Batch norms take their statistics over the whole batch, and gradients are summed;
what is left is the rounding of sums that are taken in another order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from spikewright.contract.errors import InputError

GRAPHS = "cuda-graph"
"""A GPU that is given a step as graphs."""
DEVICES = ("cpu", "cuda", GRAPHS, "auto")


@dataclass(frozen=True)
class Part:
    """The samples `start` .. `stop` - 1 of a batch of `total`, those of one process."""

    start: int
    stop: int
    total: int


_part: ContextVar[Part | None] = ContextVar("part", default=None)


@dataclass(frozen=True)
class Processes:
    """The processes that train together; alone by default.

    Parameters
    ----------
    rank : int
        Number of this process, 0 .. world - 1.
    world : int
        Number of processes.
    """

    rank: int = 0
    world: int = 1

    @property
    def primary(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def part(self, total: int) -> Part:
        """This process's samples of a batch: parts differ by one sample at most."""
        return Part(total * self.rank // self.world, total * (self.rank + 1) // self.world, total)

    @contextmanager
    def share(self, part: Part) -> Iterator[None]:
        """Within the block, a network that runs this process's part of a batch behaves as if it ran the whole."""
        token = _part.set(part if self.world > 1 else None)
        try:
            yield
        finally:
            _part.reset(token)

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the processes; gradients are summed likewise."""
        return _sum(values) if self.world > 1 else values

    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, in one exchange."""
        grads = [p.grad for p in parameters if p.grad is not None]
        if self.world == 1 or not grads:
            return
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        for grad, part in zip(grads, torch.split(flat, [grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def check_equal(self, value: int, name: str) -> None:
        """InputError unless `value` is the same in all processes."""
        if self.world == 1:
            return
        low, high = torch.tensor(value), torch.tensor(value)
        if dist.get_backend() == "nccl":
            low, high = low.cuda(), high.cuda()
        dist.all_reduce(low, op=dist.ReduceOp.MIN)
        dist.all_reduce(high, op=dist.ReduceOp.MAX)
        if low != high:
            raise InputError(f"{name} must be the same for all processes, not {int(low)} .. {int(high)}")


class _Sum(torch.autograd.Function):
    """Sum over the processes of a tensor that each of them has, and of its gradients on the way back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def choose_device(name: str) -> torch.device:
    """Device of this process: `cpu`, `cuda` or `cuda-graph` (one GPU for each process of a machine), or `auto`.

    The last is the better one of the first two.

    Raises
    ------
    InputError
        If there is no such device.
    """
    if name not in DEVICES:
        raise InputError(f"device must be one of {', '.join(DEVICES)}, not {name}")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        # All processes of a machine must decide alike.
        name = "cuda" if present >= max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))) else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if local >= present:
        raise InputError(f"device must be cpu for process {local} of a machine with {present} CUDA GPUs, not cuda")
    return torch.device("cuda", local)


def launched() -> Processes:
    """The processes that torchrun started, this one alone without it."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return Processes()
    return Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started: by NCCL on GPUs, else by Gloo."""
    started = launched()
    if started.world == 1 or dist.is_initialized():
        yield started
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield started
    finally:
        dist.destroy_process_group()


def bernoulli(like: Tensor, keep: float) -> Tensor:
    """Ones with probability `keep`, else zeros: (N, B) as `like`, of its type and on its device.

    Drawn on the CPU from PyTorch's global generator, and for the whole batch where `like` is a part of one.
    """
    part = _part.get()
    samples = like.shape[1] if part is None else part.total
    drawn = torch.empty(like.shape[0], samples, dtype=like.dtype).bernoulli_(keep)
    if part is not None:
        drawn = drawn[:, part.start : part.stop].contiguous()
    return drawn.to(like.device)


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm of (T, N, B) over steps and samples: those of the whole batch, whichever process has them."""

    def forward(self, input: Tensor) -> Tensor:
        part = _part.get()
        if part is None or not self.training:
            return super().forward(input)
        count = input.shape[0] * part.total
        mean = _sum(input.sum(dim=(0, 2))) / count
        centred = input - mean.unsqueeze(1)
        variance = _sum(centred.square().sum(dim=(0, 2))) / count
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
        gain = self.weight * torch.rsqrt(variance + self.eps)
        return centred * gain.unsqueeze(1) + self.bias.unsqueeze(1)
