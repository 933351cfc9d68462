"""Processor time and peak memory of a training step of the SHD network, in three formulations of one mathematics.

    python bench/train_step.py [--batch 256] [--steps 3] [--threads 2] [--sigma 10] [--json]

- `spikewright`: the hand-written layers of `spikewright.learn.layers`.
- `commuted`: delay first, then weights, as a loop over steps that autograd differentiates.
- `delayed currents`: weights first, each step's currents smeared over all delays into a ring buffer (the reference's
  formulation: Queant et al. 2025).

Each runs in a process of its own, on the same random input and weights; the losses are printed to show that they agree.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spikewright.learn.config import load_config
from spikewright.learn.layers import delay_kernel
from spikewright.learn.networks import SpikingLayer, SpikingNetwork
from spikewright.learn.neuron import Neuron, surrogate_gradient

FORMULATIONS = ("spikewright", "commuted", "delayed currents")


class Spike(torch.autograd.Function):
    """Threshold with a surrogate gradient, for the formulations that leave the rest to autograd."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, neuron: Neuron) -> Tensor:
        ctx.save_for_backward(u)
        ctx.neuron = neuron
        return (u >= neuron.threshold).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return grads[0] * surrogate_gradient(u, ctx.neuron), None


def step_neurons(drive: Tensor, v: Tensor, neuron: Neuron) -> tuple[Tensor, Tensor]:
    u = drive + v * neuron.decay
    s: Tensor = Spike.apply(u, neuron)  # type: ignore[no-untyped-call]
    return s, u * (1 - s.detach())


def autograd_layer(layer: SpikingLayer, x: Tensor, formulation: str) -> Tensor:
    """Spikes (T, B, N) of inputs (T, B, I)."""
    current = x @ layer.weight.t()
    assert layer.norm is not None
    current = layer.norm(current.permute(0, 2, 1)).permute(0, 2, 1)
    steps, batch, size = current.shape
    v = torch.zeros_like(current[0])
    spikes: list[Tensor] = []
    if not layer.config.recurrent:
        for t in range(steps):
            s, v = step_neurons(current[t], v, layer.neuron)
            spikes.append(s)
        return torch.stack(spikes)
    kernel = delay_kernel(layer.delays, 1.0 + layer.sigma, steps)  # (N, L)
    length = kernel.shape[1]
    if formulation == "commuted":
        for t in range(steps):
            drive = current[t]
            reach = min(t, length)
            if reach:
                past = torch.stack(spikes[t - reach :])  # (l, B, N), oldest first
                delayed = torch.einsum("lbn,nl->bn", past, kernel[:, :reach].flip(1))
                drive = drive + delayed @ layer.recurrent_weight.t()
            s, v = step_neurons(drive, v, layer.neuron)
            spikes.append(s)
        return torch.stack(spikes)
    ring = torch.zeros(batch, size, length + 1)
    for t in range(steps):
        s, v = step_neurons(current[t] + ring[:, :, 0], v, layer.neuron)
        spikes.append(s)
        smeared = torch.matmul(layer.recurrent_weight, s.unsqueeze(2) * kernel)  # (B, N, L)
        ring = functional.pad(ring[:, :, 1:], (0, 1)) + functional.pad(smeared, (0, 1))
    return torch.stack(spikes)


def scores_of(network: SpikingNetwork, counts: Tensor, formulation: str) -> Tensor:
    if formulation == "spikewright":
        return network.run(counts).scores
    x = counts.transpose(0, 1)
    for layer in network.spiking_layers():
        x = autograd_layer(layer, x, formulation)
    return network.readout(x.permute(0, 2, 1))


def measure(formulation: str, batch: int, steps: int, threads: int, sigma: float) -> dict[str, float]:
    """Seconds of processor time of the cheapest step, the loss of the first, and the peak of the process's memory."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = load_config("shd").network
    network = SpikingNetwork(config).train()
    for layer in network.spiking_layers():
        # Dropout would draw different neurons in each formulation.
        object.__setattr__(layer.config, "dropout", 0.0)
        object.__setattr__(layer.config, "recurrent_dropout", 0.0)
    network.set_sigma(sigma)
    counts = torch.poisson(torch.full((config.timesteps, batch, config.inputs), 0.4)).transpose(0, 1)
    labels = torch.randint(config.classes, (batch,))
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times, losses = [], []
    for _ in range(steps + 1):
        network.zero_grad()
        begin = time.process_time()
        loss = functional.cross_entropy(scores_of(network, counts, formulation) / config.timesteps, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        times.append(time.process_time() - begin)
        losses.append(loss.item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": min(times[1:]), "loss": losses[0], "memory_gb": (peak - idle) / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=3, help="timed steps, the cheapest counts (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sigma", type=float, default=10.0)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", choices=FORMULATIONS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args.batch, args.steps, args.threads, args.sigma)))
        return
    results = {}
    for name in FORMULATIONS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
        results[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if args.json:
        print(json.dumps(results))
        return
    print(f"{'formulation':<18}{'s/step':>8}{'GB':>7}{'loss':>11}")
    for name, result in results.items():
        print(f"{name:<18}{result['seconds']:>8.2f}{result['memory_gb']:>7.2f}{result['loss']:>11.6f}")


if __name__ == "__main__":
    main()
