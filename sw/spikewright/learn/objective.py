"""What a training makes small, and how far it has come: loss, accuracy and firing rates."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spikewright.learn.checkpoint import Network
from spikewright.learn.config import Config, NetworkConfig
from spikewright.learn.distill import distillation_loss
from spikewright.learn.samples import Samples
from spikewright.support.parallel import Part, Processes


def training_loss(
    config: Config,
    spikes: list[Tensor],
    scores: Tensor,
    labels: Tensor,
    target: Tensor | None,
    group: Processes,
    part: Part,
) -> Tensor:
    """Mean over the batch; in one of several processes its share, so that the shares add up to it.

    Parameters
    ----------
    config : Config
    spikes : list of (T, N, B)
        Of every layer.
    scores : (B, classes)
    labels : (B,)
    target : (B, classes), optional
        Probabilities of the teachers.
    group : Processes
    part : Part
        What of the batch this process has.
    """
    settings = config.training
    logits = _logits(config.network, scores, settings.logit_scale)
    if group.world == 1:
        loss = functional.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
    else:
        smoothing = settings.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum") / part.total
    if target is not None:
        distillation = config.distillation
        soft = distillation_loss(logits, target, distillation.temperature) / part.total
        loss = (1.0 - distillation.weight) * loss + distillation.weight * soft
    if settings.rate_penalty:
        rates = [
            of_layer.mean(dim=(0, 2))
            if group.world == 1
            else group.sum(of_layer.sum(dim=(0, 2))) / (len(of_layer) * part.total)
            for of_layer in spikes
        ]
        penalty = torch.stack([rate.square().mean() for rate in rates]).mean()
        loss = loss + settings.rate_penalty * penalty / group.world
    return loss


@torch.no_grad()
def validate(
    network: Network, samples: Samples, scale: float, batch: int = 256, group: Processes | None = None
) -> tuple[float, float, list[float]]:
    """Loss, accuracy and firing rate per layer (spikes per neuron and step) of a network in evaluation mode.

    The processes of `group` share the samples, and all of them get the result.
    """
    network.eval()
    group = group or Processes()
    device = network.readout.weight.device
    loss = correct = 0.0
    rates = [0.0] * len(network.config.layers)
    part = group.part(len(samples))
    mine = Samples(samples.counts[part.start : part.stop], samples.labels[part.start : part.stop])
    for counts, labels in zip(torch.split(mine.counts, batch), torch.split(mine.labels, batch), strict=True):
        if not len(labels):
            continue  # more processes than samples
        labels = labels.to(device)
        trace = network.run(counts.to(device))
        loss += float(functional.cross_entropy(_logits(network.config, trace.scores, scale), labels, reduction="sum"))
        correct += int((trace.classes == labels).sum())
        rates = [rate + float(s.mean()) * len(labels) for rate, s in zip(rates, trace.spikes, strict=True)]
    sums = group.sum(torch.tensor([loss, correct, *rates], dtype=torch.float64, device=device)).tolist()
    loss, correct, *rates = (value / len(samples) for value in sums)
    return loss, correct, [round(rate, 5) for rate in rates]


def _logits(config: NetworkConfig, scores: Tensor, scale: float) -> Tensor:
    return scores * (scale / config.summed_steps)
