"""What the calls take: objects, or the files and folders that hold them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikewright.contract.errors import InputError
from spikewright.contract.network import NetworkSpec
from spikewright.data.shd import SpikeData
from spikewright.integer.file import is_model, load_info, load_model, save_model
from spikewright.integer.recordings import binning_of, fitting, load
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.checkpoint import read_checkpoint
from spikewright.learn.networks import SpikingNetwork
from spikewright.nir.convert import as_spiking_network, spiking_layers
from spikewright.nir.file import LATENCIES, NAMES
from spikewright.nir.network import ForeignNetwork
from spikewright.support.shipped import checkpoints

if TYPE_CHECKING:
    from spikewright.learn.config import NetworkConfig

AnyPath = str | os.PathLike[str]
FloatNetwork = SpikingNetwork | ForeignNetwork | AnyPath
"""A network, perhaps one of another library, a checkpoint, or the name of a shipped one."""
Model = IntegerNetwork | NetworkSpec | AnyPath
"""An integer network, or the file of one."""
AnyNetwork = SpikingNetwork | ForeignNetwork | IntegerNetwork | NetworkSpec | AnyPath
Data = SpikeData | AnyPath
"""Samples; or a folder with the files of a data set, or `sample`, the recordings that are shipped."""


@dataclass(frozen=True)
class Opened:
    """A network, and how recordings become its input.

    Parameters
    ----------
    network : SpikingNetwork or IntegerNetwork
    binning : dict
        As `spikewright.integer.recordings.binning_of` makes it.
    path : Path, optional
        Where it was read.
    """

    network: SpikingNetwork | IntegerNetwork
    binning: dict[str, Any]
    path: Path | None = None

    @property
    def shape(self) -> NetworkSpec | NetworkConfig:
        return self.network.spec if isinstance(self.network, IntegerNetwork) else self.network.config

    @property
    def names(self) -> list[str]:
        """Of the spiking layers; empty if they have none, or a file that cannot be trusted has no such list."""
        names = self.binning.get(NAMES)
        layers = self.network.spec.layers[:-1] if isinstance(self.network, IntegerNetwork) else self.network.layers
        if isinstance(names, list) and len(names) == len(layers) and all(isinstance(name, str) for name in names):
            return names
        return []

    @property
    def latencies(self) -> list[int]:
        """Of the spiking layers with `names`: steps after which their spikes are shown."""
        late = self.binning.get(LATENCIES)
        if isinstance(late, list) and len(late) == len(self.names) and all(type(steps) is int for steps in late):
            return [min(max(0, steps), self.shape.timesteps) for steps in late]
        return [0] * len(self.names)

    def samples(
        self, data: Data | None, split: str, samples: int | None = None, at_most: int | None = None
    ) -> SpikeData:
        """Samples for the network: those given, or those of a folder; without either the shipped ones.

        Parameters
        ----------
        data : SpikeData, folder, "sample" or None
        split : "train", "valid" or "test"
            Part of a folder's data set.
        samples : int, optional
            Only the first so many.
        at_most : int, optional
            Only the first so many, or all if there are fewer.

        Raises
        ------
        InputError
            If there are too few samples, or they do not fit the network.
        """
        if not isinstance(data, SpikeData):
            folder = None if data is None else Path(data)
            return load(folder, split, self.shape, self.binning, samples, at_most, model=self.path)
        if samples is not None and not 0 <= samples <= len(data):
            raise InputError(f"samples must be between 0 and {len(data)} (all of the data), not {samples}")
        most = samples if samples is not None else at_most
        return fitting(data if most is None else data.first(most), self.shape)


def opened(network: AnyNetwork) -> Opened:
    """A network as it is given, or read from a file; one of another library in the terms of ours.

    Raises
    ------
    InputError
        If the file is neither a checkpoint nor an integer network, or a network of another library has what hardware
        does not compute.
    TypeError
        If it is something else.
    """
    if isinstance(network, SpikingNetwork):
        recipe = network.recipe
        return Opened(network, binning_of(network.config, None if recipe is None else recipe.data))
    if isinstance(network, ForeignNetwork):
        converted = as_spiking_network(network)
        names, latencies = zip(*spiking_layers(network), strict=True)
        shown = {NAMES: list(names), LATENCIES: list(latencies)}
        return Opened(converted, {**binning_of(converted.config), **shown})
    if isinstance(network, NetworkSpec):
        network = IntegerNetwork(network)
    if isinstance(network, IntegerNetwork):
        return Opened(network, network.info)
    if not isinstance(network, str | os.PathLike):
        raise TypeError(f"network must be a network, or the path of one, not {type(network).__name__}")
    path = Path(network)
    if is_model(path):
        info = load_info(path)
        return Opened(IntegerNetwork(load_model(path), info), info, path)
    trained, config, info = read_checkpoint(path)
    # Of a network of another library.
    shown = {name: info[name] for name in (NAMES, LATENCIES) if name in info}
    return Opened(trained, {**binning_of(config.network, None if shown else config.data), **shown}, path)


@contextmanager
def model_file(model: Model) -> Iterator[Path]:
    """The file of an integer network: its own, or one that is there as long as the block.

    Raises
    ------
    InputError
        If it is a float network, which must be quantized first.
    TypeError
        If it is something else.
    """
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        if not path.exists() and os.fspath(model) in checkpoints():
            raise InputError(
                f"model must be an integer network, by `spikewright quantize {path}`, not the checkpoint {path}"
            )
        yield path
        return
    if isinstance(model, SpikingNetwork):
        raise InputError("model must be an integer network, by quantize(network), not a float network")
    if isinstance(model, NetworkSpec):
        model = IntegerNetwork(model)
    if not isinstance(model, IntegerNetwork):
        raise TypeError(f"model must be an integer network, or the path of one, not {type(model).__name__}")
    with tempfile.TemporaryDirectory(prefix="spikewright-model-") as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, model.spec, model.info)
        yield path
