"""Convolutional network over time and channels: no hardware's network, but a teacher of spiking ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikewright.learn.config import NetworkConfig
from spikewright.learn.networks import Trace
from spikewright.support.tensors import check_values


class ConvolutionalNetwork(nn.Module):
    """Residual convolutions over (channel, step) of `log(1 + count)`, then over steps, then mean and maximum over them.

    A convolution along the channels, which are ordered by frequency, answers alike to a vowel of a longer vocal tract:
    that is what a layer of neurons has to learn for each channel anew.

    Parameters
    ----------
    config : NetworkConfig
        `convolutions` is the width of the first layer; `layers` is empty.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, dropout = config.convolutions, config.convolution_dropout
        self.image = nn.Sequential(
            _convolution(1, width, (7, 5), (4, 2)),
            _convolution(width, 2 * width, (3, 3), (1, 2)),
            _Residual(2 * width),
            _convolution(2 * width, 4 * width, (3, 3), (2, 2)),
            _Residual(4 * width),
            _convolution(4 * width, 6 * width, (3, 3), (2, 1)),
        )
        rows = -(-config.inputs // 16)
        self.steps = nn.Sequential(
            nn.Dropout(dropout),
            _convolution_in_time(6 * width * rows, 8 * width, 3),
            _convolution_in_time(8 * width, 8 * width, 5),
            nn.Dropout(dropout),
        )
        self.readout = nn.Linear(16 * width, config.classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _run_transposed(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """No spikes, and scores, of values (T, inputs, B); they are logits times T, as the training divides by T."""
        image = torch.log1p(x.permute(2, 1, 0) * self.config.input_scale).unsqueeze(1)
        # Half the time in bfloat16, where the processor has it.
        with torch.autocast(x.device.type, torch.bfloat16, enabled=_has_bfloat16(x.device)):
            rows = self.image(image.contiguous(memory_format=torch.channels_last))
            steps = self.steps(rows.flatten(1, 2))
            logits = self.readout(torch.cat([steps.mean(dim=2), steps.amax(dim=2)], dim=1))
        return [], logits.to(x.dtype) * self.config.timesteps

    def run(self, values: Tensor) -> Trace:
        """Scores of event counts (B, T, inputs) of any type, without spikes; checked as by `SpikingNetwork.run`."""
        check_values(values, self.config.timesteps, self.config.inputs)
        return Trace((), self._run_transposed(values.permute(1, 2, 0).to(self.readout.weight.dtype))[1])

    def forward(self, values: Tensor) -> Tensor:
        """Scores (B, classes) of values (B, T, inputs); see `run`."""
        return self.run(values).scores

    def weight_matrices(self) -> dict[str, nn.Parameter]:
        """All kernels and matrices by name: what weight decay acts on."""
        return {name: p for name, p in self.named_parameters() if p.dim() > 1}

    def delay_parameters(self) -> dict[str, nn.Parameter]:
        """None."""
        return {}

    def set_sigma(self, sigma: float) -> None:
        """Nothing, as there are no delays."""

    def limit_delays(self) -> None:
        """Nothing, as there are no delays."""


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width, (3, 3), (1, 1))
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


def _convolution(inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _convolution_in_time(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()
    )


def _has_bfloat16(device: torch.device) -> bool:
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
