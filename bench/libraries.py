"""A training step of the SHD network in Spikewright and in three other libraries, on one thread of a CPU.

    python bench/libraries.py [--batch 128] [--repeats 7] [--json]

The same shape (140-256-256-20, T = 100), neuron (hard reset, tau 1.05, atan), weights, input, loss and optimizer in
each; a step is the forward pass, the backward pass and an update by `torch.optim.Adam`. Three networks: `feed-forward`,
`recurrent`, whose second layer feeds itself one step later, and `delayed`, where that takes learned delays of 10 to 30
steps, which none of the others has. Every library is used at its best: currents of all steps by one product, the
multi-step mode where there is one, the read-out by the sum of the spikes.

Each runs in a process of its own. What counts is the time of its thread that the system charges to it, user and
system, as the machine may have other work: the least of the repeats. Rates of the layers and the first loss are
printed to show that all do the same. Needs `pip install spikingjelly snntorch norse`.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikewright.learn.config import NetworkConfig, load_config
from spikewright.learn.networks import SpikingNetwork

LIBRARIES = ("spikewright", "spikingjelly", "snntorch", "norse")
NETWORKS = ("feed-forward", "recurrent", "delayed")
INPUT_SHARE = 0.17
"""Of the inputs of a step that have an event, as in recordings of SHD."""
GAIN = (1.4, 2.2)
"""On the initial weights of each layer, so that about a tenth of the neurons fire in a step, as in trained networks."""

Run = Callable[[Tensor], tuple[list[Tensor], Tensor]]
"""Spikes of each layer and scores (B, classes) of events (T, B, inputs)."""


def network_config(recurrent: bool, delayed: bool = False) -> NetworkConfig:
    config = load_config("shd").network
    plain: dict[str, Any] = {"batch_norm": False, "dropout": 0.0, "recurrent_dropout": 0.0}
    at_once: dict[str, Any] = {} if delayed else {"delay_low": 0.0, "delay_high": 0.0, "max_delay": 0}
    layers = tuple(
        dataclasses.replace(layer, recurrent=recurrent and last, **plain, **at_once)
        for layer, last in zip(config.layers, (False, True), strict=True)
    )
    return dataclasses.replace(config, layers=layers, readout_tau=1.0)


def ours(recurrent: bool, delayed: bool = False) -> SpikingNetwork:
    torch.manual_seed(0)
    network = SpikingNetwork(network_config(recurrent, delayed)).train()
    network.set_sigma(3.0 if delayed else 0.0)
    with torch.no_grad():
        for layer, gain in zip(network.spiking_layers(), GAIN, strict=True):
            layer.weight.mul_(gain)
            if layer.config.recurrent:
                layer.recurrent_weight.mul_(0.2)
                layer.delays.requires_grad_(delayed)
    return network


def spikewright(recurrent: bool, delayed: bool = False) -> tuple[nn.Module, Run]:
    network = ours(recurrent, delayed)
    return network, lambda x: network._run_transposed(x.permute(0, 2, 1))


def spikingjelly(recurrent: bool) -> tuple[nn.Module, Run]:
    from spikingjelly.activation_based import functional as modes
    from spikingjelly.activation_based import layer, neuron, surrogate

    def fires(mode: str) -> nn.Module:
        spike = surrogate.ATan(alpha=5.0)
        node: nn.Module = neuron.LIFNode(1.05, False, 1.0, 0.0, spike, detach_reset=True, step_mode=mode)
        return node

    net = ours(recurrent)
    first, second = net.spiking_layers()
    linear = [layer.Linear(140, 256, bias=False, step_mode="m"), layer.Linear(256, 256, bias=False, step_mode="m")]
    for module, source in zip(linear, (first, second), strict=True):
        module.weight.data.copy_(source.weight)
    if recurrent:
        last = layer.LinearRecurrentContainer(fires("s"), 256, 256, bias=False, step_mode="m")
        last.rc.weight.data.copy_(torch.cat([second.weight, second.recurrent_weight], dim=1))
        stages = nn.ModuleList([nn.Sequential(linear[0], fires("m")), last])
    else:
        stages = nn.ModuleList([nn.Sequential(module, fires("m")) for module in linear])
    model = nn.ModuleDict({"stages": stages, "readout": _linear_of(net.readout)})

    def run(x: Tensor) -> tuple[list[Tensor], Tensor]:
        modes.reset_net(model)
        spikes = []
        for stage in stages:
            x = stage(x)
            spikes.append(x)
        return spikes, model["readout"](x.sum(dim=0)) + (len(x) - 1) * model["readout"].bias

    return model, run


def snntorch(recurrent: bool) -> tuple[nn.Module, Run]:
    import snntorch as library
    from snntorch import surrogate

    kept = 1.0 - 1.0 / 1.05
    spike = surrogate.atan(alpha=5.0)
    settings: dict[str, Any] = {"beta": kept, "spike_grad": spike, "reset_mechanism": "zero"}

    def step(cell: Any, last: bool) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
        if last and recurrent:

            def again(current: Tensor, state: Any) -> tuple[Tensor, Any]:
                fired, v = cell(current, *(state or (torch.zeros_like(current), torch.zeros_like(current))))
                return fired, (fired, v)

            return again
        return lambda current, v: cell(current, torch.zeros_like(current) if v is None else v)

    net = ours(recurrent)
    cells = [library.Leaky(**settings), library.Leaky(**settings)]
    if recurrent:
        cells[1] = library.RLeaky(**settings, linear_features=256)
        with torch.no_grad():
            cells[1].recurrent.weight.copy_(list(net.spiking_layers())[1].recurrent_weight)
    return _stepwise(net, cells, [step(cells[0], False), step(cells[1], True)])


def norse(recurrent: bool) -> tuple[nn.Module, Run]:
    import norse.torch as library
    from norse.torch.functional.lif_box import LIFBoxParameters

    # The library scales the input by 1 / tau as it does the leak; the weights below undo that.
    p = LIFBoxParameters(tau_mem_inv=torch.tensor(1000.0 / 1.05), alpha=torch.tensor(5.0))
    net = ours(recurrent)
    cells = [library.LIFBoxCell(p), library.LIFBoxCell(p)]
    steps: list[Any] = list(cells)
    extra: list[nn.Module] = list(cells)
    with torch.no_grad():
        for layer in net.spiking_layers():
            layer.weight.mul_(1.05)
    if recurrent:
        feedback = nn.Linear(256, 256, bias=False)
        feedback.weight.data.copy_(1.05 * list(net.spiking_layers())[1].recurrent_weight)
        extra.append(feedback)

        def again(current: Tensor, state: Any) -> tuple[Tensor, Any]:
            fired, v = cells[1](current if state is None else current + feedback(state[0]), state and state[1])
            return fired, (fired, v)

        steps[1] = again
    return _stepwise(net, extra, steps)


def _stepwise(net: SpikingNetwork, modules: list[nn.Module], steps: list[Any]) -> tuple[nn.Module, Run]:
    """Neurons that are called once a step, behind products over all steps."""
    weights = nn.ParameterList([nn.Parameter(layer.weight.detach().clone()) for layer in net.spiking_layers()])
    model = nn.ModuleDict({"cells": nn.ModuleList(modules), "readout": _linear_of(net.readout)})
    model.register_module("weights", weights)

    def run(x: Tensor) -> tuple[list[Tensor], Tensor]:
        spikes = []
        for weight, step in zip(weights, steps, strict=True):
            state, fired = None, []
            for current in functional.linear(x, weight):
                s, state = step(current, state)
                fired.append(s)
            x = torch.stack(fired)
            spikes.append(x)
        return spikes, model["readout"](x.sum(dim=0)) + (len(x) - 1) * model["readout"].bias

    return model, run


def _linear_of(readout: Any) -> nn.Linear:
    linear = nn.Linear(readout.weight.shape[1], readout.weight.shape[0])
    linear.weight.data.copy_(readout.weight)
    linear.bias.data.copy_(readout.bias)
    return linear


def measure(library: str, network: str, batch: int, repeats: int) -> dict[str, Any]:
    """Seconds of the thread in the cheapest step; loss and rates of the first, and the peak of memory."""
    torch.set_num_threads(1)
    recurrent = network != "feed-forward"
    model, run = spikewright(True, True) if network == "delayed" else globals()[library](recurrent)
    generator = torch.Generator().manual_seed(1)
    config = network_config(recurrent)
    shape = (config.timesteps, config.inputs, batch) if library == "spikewright" else ()
    events = (torch.rand(config.timesteps, config.inputs, batch, generator=generator) < INPUT_SHARE).float()
    # Each library gets the samples in the order of axes that it computes in.
    x = events.permute(0, 2, 1) if shape else events.permute(0, 2, 1).contiguous()
    labels = torch.randint(config.classes, (batch,), generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, first = [], {}
    for repeat in range(repeats + 1):
        before = resource.getrusage(resource.RUSAGE_SELF)
        optimizer.zero_grad()
        spikes, scores = run(x)
        loss = functional.cross_entropy(scores / config.timesteps, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        after = resource.getrusage(resource.RUSAGE_SELF)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if not repeat:
            first = {"loss": loss.item(), "rates": [round(s.detach().mean().item(), 4) for s in spikes]}
        del spikes, scores, loss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    version = importlib.metadata.version(library)
    return {"version": version, "seconds": min(seconds[1:]), **first, "memory_gb": (peak - idle) / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument(
        "--repeats", type=int, default=7, help="timed steps; the cheapest counts (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--library", choices=LIBRARIES, action="append", help="only this one; may be repeated")
    parser.add_argument("--only", nargs=2, metavar=("LIBRARY", "NETWORK"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(*args.only, args.batch, args.repeats)))
        return
    results: dict[str, dict[str, Any]] = {network: {} for network in NETWORKS}
    for network, of_network in results.items():
        for library in args.library or LIBRARIES:
            if network == "delayed" and library != "spikewright":
                continue
            print(f"{network}: {library} ...", file=sys.stderr, flush=True)
            size = ["--batch", str(args.batch), "--repeats", str(args.repeats)]
            command = [sys.executable, __file__, *size, "--only", library, network]
            of_network[library] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if args.json:
        print(json.dumps(results))
        return
    print(f"{'network':<14}{'library':<14}{'version':<10}{'s/step':>8}{'ratio':>7}{'GB':>7}{'loss':>10}  rates")
    for network, of_network in results.items():
        base = of_network.get("spikewright", {}).get("seconds")
        for library, result in of_network.items():
            ratio = f"{result['seconds'] / base:.2f}" if base else ""
            print(f"{network:<14}{library:<14}{result['version']:<10}{result['seconds']:>8.3f}{ratio:>7}", end="")
            print(f"{result['memory_gb']:>7.2f}{result['loss']:>10.5f}  {result['rates']}")


if __name__ == "__main__":
    main()
