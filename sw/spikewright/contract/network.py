"""Integer networks: layers that fit together, and how the last one decides."""

from __future__ import annotations

from dataclasses import dataclass

from spikewright.contract.bounds import layer_bounds
from spikewright.contract.decision import DECISIONS, Decision
from spikewright.contract.layer import LayerSpec
from spikewright.contract.shown import Facts, Shown, percent, thousands


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NetworkSpec(Shown):
    """An integer network: spiking layers in sequence, then one read-out.

    Parameters
    ----------
    layers : tuple of LayerSpec
        At least one; the last is the read-out, the others fire. Layer k+1 has as many inputs as layer k has neurons.
    timesteps : int
        1 .. 65535: most steps of a sample.
    readout : "sum", "max" or "last"
        Score of class c: the sum of its membranes over the steps, the highest of them, or that of the last step. The
        class is the lowest index of a highest score.

    Raises
    ------
    ValueError
        If the layers do not fit together, or a membrane has no bound of 46 bits.
    """

    layers: tuple[LayerSpec, ...]
    timesteps: int
    readout: str = "sum"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers must hold at least a read-out, not 0 layers")
        if not 1 <= self.timesteps < 1 << 16:
            raise ValueError(f"timesteps must be 1 .. {(1 << 16) - 1}, not {self.timesteps}")
        if self.readout not in DECISIONS:
            raise ValueError(f"readout must be one of {', '.join(DECISIONS)}, not {self.readout!r:.60}")
        for index, layer in enumerate(self.layers):
            if layer.readout != (index == len(self.layers) - 1):
                raise ValueError(
                    f"layer {index} must {'not ' if layer.readout else ''}be the read-out: the last one is"
                )
            if index and layer.inputs != self.layers[index - 1].neurons:
                neurons = self.layers[index - 1].neurons
                raise ValueError(
                    f"layer {index} must have {neurons} inputs, one per neuron of layer {index - 1}, not {layer.inputs}"
                )
            if index and layer.value_bits != self.layers[index - 1].count_bits:
                bits = self.layers[index - 1].count_bits
                raise ValueError(
                    f"layer {index} value_bits must be {bits}, as its inputs are spikes, not {layer.value_bits}"
                )
            try:
                layer_bounds(layer, self.timesteps)
            except ValueError as error:
                raise ValueError(f"layer {index}: {error}") from None

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def classes(self) -> int:
        return self.layers[-1].neurons

    @property
    def value_bits(self) -> int:
        return self.layers[0].value_bits

    def title(self) -> str:
        shape = "-".join(map(str, (self.inputs, *(layer.neurons for layer in self.layers))))
        synapses = sum(layer.synapses for layer in self.layers)
        zeros = percent(1 - synapses / sum(layer.weights.size for layer in self.layers))
        name = f"{type(self).__name__} {shape}, {self.timesteps} steps of {self.value_bits}-bit values"
        return f"{name}, {thousands(synapses)} synapses, {zeros} of the weights zero"

    def facts(self) -> Facts:
        return [(f"layer {index}", layer.described()) for index, layer in enumerate(self.layers)]

    @property
    def score_bounds(self) -> tuple[int, int]:
        """Range of every score over a whole sample."""
        return self.decision.bounds(*layer_bounds(self.layers[-1], self.timesteps).after_reset, self.timesteps)

    @property
    def decision(self) -> Decision:
        """What `readout` names."""
        return DECISIONS[self.readout]
