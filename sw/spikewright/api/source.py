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

if TYPE_CHECKING:
    from spikewright.learn.config import NetworkConfig

AnyPath = str | os.PathLike[str]
FloatNetwork = SpikingNetwork | AnyPath
"""A network, a checkpoint, or the name of a shipped one."""
Model = IntegerNetwork | NetworkSpec | AnyPath
"""An integer network, or the file of one."""
AnyNetwork = SpikingNetwork | IntegerNetwork | NetworkSpec | AnyPath
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
    """A network as it is given, or read from a file.

    Raises
    ------
    InputError
        If the file is neither a checkpoint nor an integer network.
    TypeError
        If it is something else.
    """
    if isinstance(network, SpikingNetwork):
        recipe = network.recipe
        return Opened(network, binning_of(network.config, None if recipe is None else recipe.data))
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
    trained, config, _ = read_checkpoint(path)
    return Opened(trained, binning_of(config.network, config.data), path)


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
        yield Path(model)
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
