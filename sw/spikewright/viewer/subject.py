"""What is looked at: a checkpoint, an integer network or a build folder, read as what anybody may have written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spikewright.build.folder import MODEL, open_build
from spikewright.contract import defaults
from spikewright.contract.core import CoreSpec
from spikewright.contract.decision import DECISIONS
from spikewright.contract.errors import InputError
from spikewright.contract.names import check_lanes, verilog_files
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import is_model, load_info, load_model
from spikewright.integer.recordings import binning_of
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.layout.pack import pack
from spikewright.learn.checkpoint import read_checkpoint
from spikewright.learn.networks import SpikingNetwork
from spikewright.support.files import MANIFEST, sha256
from spikewright.support.shipped import checkpoint_path

if TYPE_CHECKING:
    from spikewright.learn.config import DataConfig


@dataclass(frozen=True)
class Layer:
    """A layer as both kinds of networks have it.

    Parameters
    ----------
    feed : (neurons, inputs) numbers
        Weights.
    own : (neurons, neurons) numbers or None
        Recurrent weights.
    delays : (neurons,) numbers or None
        Steps; those of a float network before they are rounded.
    spiking : bool
    """

    feed: npt.NDArray[Any]
    own: npt.NDArray[Any] | None
    delays: npt.NDArray[Any] | None
    spiking: bool

    @property
    def neurons(self) -> int:
        return int(self.feed.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.feed.shape[1])

    @property
    def matrices(self) -> list[npt.NDArray[Any]]:
        return [self.feed] if self.own is None else [self.feed, self.own]

    @property
    def weights(self) -> int:
        return sum(matrix.size for matrix in self.matrices)

    @property
    def synapses(self) -> int:
        """Weights that are not zero."""
        return sum(int(np.count_nonzero(matrix)) for matrix in self.matrices)


@dataclass(frozen=True)
class Subject:
    """A network with what is known of it.

    Parameters
    ----------
    name, kind : str
        "model.safetensors", "integer network".
    network : SpikingNetwork or IntegerNetwork
        The one that recordings are run through.
    layers : tuple of Layer
    core : CoreSpec or None
        How it lies in the memories of a core; None if no core can have it.
    no_core : str
        Why not.
    how : str
        What the core is, in words.
    target : str
        Family of devices whose block RAMs are counted.
    binning : dict
        How recordings become its input.
    made : tuple of (label, value)
        Where it comes from.
    """

    name: str
    kind: str
    network: SpikingNetwork | IntegerNetwork
    layers: tuple[Layer, ...]
    core: CoreSpec | None = None
    no_core: str = ""
    how: str = ""
    target: str = "ecp5"
    binning: dict[str, Any] = field(default_factory=dict)
    made: tuple[tuple[str, str], ...] = ()
    path: Path | None = None

    @property
    def shape(self) -> Any:
        """Has `timesteps`, `inputs` and `classes`."""
        return self.network.spec if isinstance(self.network, IntegerNetwork) else self.network.config

    @property
    def sizes(self) -> str:
        return "-".join(map(str, [self.shape.inputs, *(layer.neurons for layer in self.layers)]))


def subject_of(thing: Any, lanes: int | None = None, weight_bits: int | None = None) -> Subject:
    """What `thing` is.

    Parameters
    ----------
    thing : path, str, SpikingNetwork, IntegerNetwork or NetworkSpec
        A build folder, a file by `train` or `quantize`, the name of a shipped checkpoint, or a network itself.
    lanes : int, optional
        Of the core that is shown of what is no build; 8 by default.
    weight_bits : int, optional
        Of the integer network that a float network becomes for that core; 8 by default.

    Raises
    ------
    InputError
        If it is none of these, damaged, or an option does not go with it.
    TypeError
        If it is no network, and no path either.
    """
    if lanes is not None:
        check_lanes(lanes)
    if isinstance(thing, SpikingNetwork):
        data = None if thing.recipe is None else thing.recipe.data
        return _with_core(_of_floats("network", thing, data), lanes, weight_bits)
    if isinstance(thing, NetworkSpec):
        thing = IntegerNetwork(thing)
    if isinstance(thing, IntegerNetwork):
        _refuse_bits(weight_bits)
        return _with_core(_of_integers("network", thing.spec, thing.info), lanes, None)
    if not isinstance(thing, str | os.PathLike):
        raise TypeError(f"thing must be a network, or the path of one, not {type(thing).__name__}")
    path = Path(thing)
    if path.is_dir():
        _refuse_bits(weight_bits)
        if lanes is not None:
            raise InputError(f"lanes must be left out for a build, which has its own, and not be {lanes}")
        return _of_build(path)
    path = checkpoint_path(path)
    if is_model(path):
        _refuse_bits(weight_bits)
        subject = _of_integers(path.stem, load_model(path), load_info(path))
        return _with_core(replace(subject, made=_made(path, load_info(path)), path=path), lanes, None)
    network, config, info = read_checkpoint(path)
    subject = _of_floats(path.stem, network, config.data)
    return _with_core(replace(subject, made=_made(path, info), path=path), lanes, weight_bits)


def _refuse_bits(weight_bits: int | None) -> None:
    if weight_bits is not None:
        raise InputError(f"weight bits must be left out for integers, which have their own, and not be {weight_bits}")


def _of_floats(name: str, network: SpikingNetwork, data: DataConfig | None = None) -> Subject:
    layers = [
        Layer(
            layer.weight.detach().numpy(),
            layer.recurrent_weight.detach().numpy() if layer.config.recurrent else None,
            layer.delays.detach().numpy() if layer.config.recurrent else None,
            True,
        )
        for layer in network.spiking_layers()
    ]
    layers.append(Layer(network.readout.weight.detach().numpy(), None, None, False))
    binning = binning_of(network.config, data)
    return Subject(name, "float network", network, tuple(layers), binning=binning)


def _of_integers(name: str, spec: NetworkSpec, binning: dict[str, Any]) -> Subject:
    layers = tuple(
        Layer(
            layer.weights[:, : layer.inputs],
            layer.weights[:, layer.inputs :] if layer.recurrent else None,
            layer.delays,
            not layer.readout,
        )
        for layer in spec.layers
    )
    return Subject(name, "integer network", IntegerNetwork(spec), layers, binning=binning)


def _of_build(path: Path) -> Subject:
    manifest, core = open_build(path)
    model = path / MODEL
    subject = _of_integers(path.resolve().name, core.network, load_info(model))
    target = str(manifest.get("target") or "ecp5")
    how = f"the core in this folder: {core.lanes} lanes, layers {core.kind}"
    made = (("Verilog", ", ".join(verilog_files(manifest, path / MANIFEST))), *_made(model, manifest))
    return replace(subject, kind="build", core=core, how=how, target=target, made=made, path=model)


def _with_core(subject: Subject, lanes: int | None, weight_bits: int | None) -> Subject:
    """With the core that `generate` would make of it."""
    lanes, bits = lanes or defaults.LANES, weight_bits or defaults.WEIGHT_BITS
    how = f"the core that `spikewright generate --lanes {lanes}` makes of it"
    if isinstance(subject.network, IntegerNetwork):
        return replace(subject, core=pack(subject.network.spec, lanes), how=how)
    if subject.network.config.readout not in DECISIONS:
        why = f"It decides by {subject.network.config.readout}, which no core does."
        return replace(subject, no_core=why)
    try:
        spec = quantize(subject.network, weight_bits=bits)
    except InputError as error:
        return replace(subject, no_core=f"It cannot be quantized: {error}.")
    return replace(subject, core=pack(spec, lanes), how=f"{how}, once quantized to {bits} bits")


def _made(path: Path, info: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """File, digest, and the facts that are single values."""
    kept = [
        (str(name).replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
        for name, value in info.items()
        if isinstance(value, str | int | float) and len(str(value)) <= 100
    ]
    return (("file", path.name), ("SHA-256", sha256(path)), *kept)
