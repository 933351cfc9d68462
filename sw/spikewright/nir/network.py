"""A NIR graph in a library's dialect, as a float network that is run step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from spikewright.contract.decision import DECISIONS as OF_MEMBRANES
from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_samples
from spikewright.nir.chain import Layer, chain
from spikewright.nir.dialect import Dialect
from spikewright.nir.graph import Graph, named
from spikewright.nir.nodes import Delay, Neuron, Pool, Threshold
from spikewright.nir.ops import DelayLine, Op, in_one_go
from spikewright.nir.rules import Constants, Neurons, Rule, constants_of, first_state, neurons_of, rule_of, step
from spikewright.support.tensors import first_argmax

DECISIONS = {"sum": "", "count": "most spikes", **{name: decision.about for name, decision in OF_MEMBRANES.items()}}


@dataclass(frozen=True)
class ForeignTrace:
    """What a run of T steps over B samples shows.

    Parameters
    ----------
    spikes : by layer that fires, (B, T, shape...)
        How often a neuron fires in a step, as other layers see it.
    membranes : by layer, (B, T, shape...)
        What a step leaves.
    scores : (B, classes)
    """

    spikes: dict[str, Tensor]
    membranes: dict[str, Tensor]
    scores: Tensor

    @property
    def classes(self) -> Tensor:
        """(B,): the lowest index of a highest score."""
        return first_argmax(self.scores)


class ForeignLayer:
    """Neurons in the dialect of their library, and what leads to them.

    Attributes
    ----------
    rule : Rule or None
        None behind the last weights of a network that ends with them.
    origins : dict
        By rule, who gave it.
    constants : Constants or None
    fires : bool
        Whether it has spikes, rather than membranes alone.
    """

    def __init__(self, layer: Layer, dialect: Dialect, dtype: torch.dtype) -> None:
        self.layer = layer
        self.name = layer.name
        self.rule: Rule | None = None
        self.origins: dict[str, str] = {}
        self.constants: Constants | None = None
        self._neurons: Neurons | None = None
        if isinstance(layer.node, Neuron):
            self.rule, self.origins = rule_of(layer.name, layer.node, dialect)
            self.constants = constants_of(layer.name, layer.node, self.rule, dialect)
            self._neurons = neurons_of(self.constants, self.rule, dtype)
        elif any(isinstance(step.node, Delay) for step in layer.forward):
            raise InputError(f"{named(layer.name)}: delay must lead to neurons, not to the output alone")
        dt = self.rule.dt if self.rule is not None else 1.0
        self.fires = self._neurons is not None and self._neurons.threshold is not None
        last = dialect.for_all("flatten") == "channels_last"
        self.forward = [Op(step, dt, dtype, channels_last=last) for step in layer.forward]
        self.loop = None if layer.loop is None else [Op(step, dt, dtype, channels_last=last) for step in layer.loop]

    def run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes as the next layer sees them, and membranes, both (T, B, N), of values (T, B, size)."""
        for op in self.forward:
            x = in_one_go(op, x)
        if self._neurons is None or self.rule is None:
            return torch.zeros_like(x), x
        membranes, spikes = torch.empty_like(x), torch.empty_like(x)
        state = first_state(self._neurons, x[0])
        lines: list[Callable[[Tensor], Tensor]] = [
            op if op.delays is None else DelayLine(op.delays) for op in self.loop or ()
        ]
        for t, drive in enumerate(x):
            if self.loop is not None:
                back = state[2]
                for line in lines:
                    back = line(back)
                drive = drive + back
            state = step(drive, state, self._neurons)
            membranes[t], spikes[t] = state[0], state[2]
        if not self.fires:
            return membranes, membranes
        late = self.rule.latency
        return torch.cat([torch.zeros_like(spikes[:late]), spikes[: len(spikes) - late]]) if late else spikes, membranes


class ForeignNetwork:
    """The float network that a NIR file and a dialect describe.

    Parameters
    ----------
    graph : Graph
    dialect : Dialect
    timesteps : int, optional
        Steps of a sample; any number if left out.
    decision : str, optional
        One of `DECISIONS`. If left out, "count" where the last layer fires and "sum" where it does not.

    Attributes
    ----------
    layers : list of ForeignLayer
    assumed : list of str
        What the file does not say, one sentence each.

    Raises
    ------
    InputError
        If the dialect leaves a rule open, or something cannot be done exactly; names the node.
    """

    def __init__(
        self, graph: Graph, dialect: Dialect, *, timesteps: int | None = None, decision: str | None = None
    ) -> None:
        self.graph = graph
        self.dialect = dialect
        self.timesteps = timesteps
        self.dtype = torch.float32 if dialect.for_all("precision") == "float32" else torch.float64
        order = chain(graph, past_weights=dialect.for_all("rewire_rnn_input"))
        dialect.check_nodes({layer.name: None for layer in order.layers if layer.node is not None})
        self.input_shape = order.input_shape
        self.assumed = list(order.assumed)
        self.layers = [ForeignLayer(layer, dialect, self.dtype) for layer in order.layers]
        last = self.layers[-1]
        for layer, after in pairwise(self.layers):
            straight = not after.layer.forward and after.layer.loop is None and layer.layer.loop is None
            if not layer.fires and not (straight and isinstance(after.layer.node, Threshold)):
                raise InputError(f"{named(layer.name)}: type must be of neurons that fire, as a layer follows it")
        self._check_steps()
        if decision is None:
            decision = "count" if last.fires else "sum"
            self.assumed.append(f"decision: {decision}, {DECISIONS[decision]} of {named(last.name)}")
        if decision not in DECISIONS:
            raise InputError(f"decision must be one of {', '.join(DECISIONS)}, not {decision!r:.60}")
        if decision == "count" and not last.fires:
            raise InputError(f"decision must be of membranes, as {named(last.name)} never fires, not 'count'")
        self.decision = decision

    def _check_steps(self) -> None:
        """What the dialect says of nodes that are no neurons."""
        padded = self.dialect.for_all("pool_padding")
        for layer in self.layers:
            for op in (*layer.forward, *(layer.loop or ())):
                if isinstance(op.step.node, Pool) and max(op.step.node.padding) and not padded:
                    raise InputError(
                        f"{named(op.step.name)}: padding must be 0 in the dialect {self.dialect.name}, "
                        f"not {op.step.node.padding}: it does not say on which side of the values"
                    )
                if op.turned:
                    self.assumed.append(f"{named(op.step.name)}: what follows takes channels last, by the dialect")

    @property
    def inputs(self) -> int:
        """Values of a step."""
        return int(np.prod(self.input_shape))

    @property
    def classes(self) -> int:
        """Neurons of the last layer."""
        return int(np.prod(self.layers[-1].layer.shape))

    @torch.no_grad()
    def run(self, values: Tensor) -> ForeignTrace:
        """Run samples.

        Parameters
        ----------
        values : (B, T, inputs) or (B, T, shape of the input...)
            Event counts, of any real type.

        Returns
        -------
        ForeignTrace

        Raises
        ------
        InputError
            If the shape does not fit.
        """
        if values.dim() > 3 and tuple(values.shape[2:]) == self.input_shape:
            values = values.flatten(2)
        timesteps = self.timesteps if self.timesteps is not None else int(values.shape[1]) if values.dim() > 1 else 1
        check_samples("values", values, timesteps, self.inputs)
        x = values.to(self.dtype).transpose(0, 1)
        spikes: dict[str, Tensor] = {}
        membranes: dict[str, Tensor] = {}
        seen, left = x, x
        for layer in self.layers:
            seen, left = layer.run(seen)
            shape = (*x.shape[:2], *layer.layer.shape)
            membranes[layer.name] = left.reshape(shape).transpose(0, 1)
            if layer.fires:
                spikes[layer.name] = seen.reshape(shape).transpose(0, 1)
        return ForeignTrace(spikes, membranes, self._scores(seen, left))

    def _scores(self, spikes: Tensor, membranes: Tensor) -> Tensor:
        if self.decision == "count":
            return spikes.sum(dim=0)
        if not len(membranes):
            return membranes.sum(dim=0)
        scores: Tensor = OF_MEMBRANES[self.decision].running(torch.where, membranes.unbind())[-1]
        return scores

    def weights(self) -> Mapping[str, Tensor]:
        """Weights by the name of their node, as the file has them: convolutions not unrolled."""
        found = {}
        for layer in self.layers:
            for op in (*layer.forward, *(layer.loop or ())):
                weight = getattr(op.step.node, "weight", None)
                if weight is not None:
                    found[op.step.name] = torch.from_numpy(np.asarray(weight, np.float64))
        return found
