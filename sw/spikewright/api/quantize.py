"""From a float network to the integer network that the hardware computes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from spikewright.api.source import Data, FloatNetwork, Opened, opened
from spikewright.contract.defaults import WEIGHT_BITS
from spikewright.contract.errors import InputError
from spikewright.contract.network import NetworkSpec
from spikewright.data.arrays import UNKNOWN, is_array_file
from spikewright.data.arrays import load as load_arrays
from spikewright.data.shd import SpikeData
from spikewright.integer.calibrate import calibrate as round_for
from spikewright.integer.calibrate import choose
from spikewright.integer.finetune import fine_tune as tune
from spikewright.integer.rates import SAMPLES, measured
from spikewright.integer.recordings import fitting, with_rates
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize as round_nearest
from spikewright.integer.rounding import round_delays, rounded_to_zero
from spikewright.learn.config import Config
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.samples import Samples, load_parts
from spikewright.learn.validation import warn_if_few
from spikewright.support.files import sha256
from spikewright.support.progress import say, step
from spikewright.support.shipped import checkpoint_path


def quantize(
    network: FloatNetwork,
    *,
    weight_bits: int = WEIGHT_BITS,
    value_bits: int | None = None,
    delay_step: int = 1,
    calibrate: int = 0,
    fine_tune: int = 0,
    data: Data | None = None,
) -> IntegerNetwork:
    """The integer network of a float network; weights that are zero stay zero.

    Parameters
    ----------
    network : SpikingNetwork, ForeignNetwork, checkpoint, or name of a shipped one
        Left as it is.
    weight_bits : int
        2 .. 16.
    value_bits : int, optional
        Width of the counts of input events, 1 .. 16; the network's own by default.
    delay_step : int
        Let delayed spikes arrive after multiples of so many steps, at least 1: fewer different delays take fewer
        cycles.
    calibrate : int
        Round the weights of a neuron together, such that its membrane changes least on so many training samples; 0
        rounds each weight to the nearest integer.
    fine_tune : int
        Epochs of training on through the rounding; not with `calibrate`.
    data : folder, "sample" or SpikeData, optional
        Training samples, for `calibrate` and `fine_tune`; also for the rates of the axons, by which lanes get equally
        much to do.

    Returns
    -------
    IntegerNetwork
        Its `spec` is what hardware computes; its `info` tells how it was made, and how recordings become its input.

    Raises
    ------
    InputError
        If a number is out of its range, the data is missing or does not fit, or the network has no integer twin.
    """
    source = opened(network)
    trained = source.network
    if not isinstance(trained, SpikingNetwork):
        raise InputError("network must be a float network, not an integer network, which is quantized already")
    for name, wanted in (("calibrate", calibrate), ("fine_tune", fine_tune)):
        if wanted < 0:
            raise InputError(f"{name} must be at least 0, not {wanted}")
        if wanted and data is None:
            raise InputError(f"data must be given with {name}, not left out")
    if calibrate and fine_tune:
        raise InputError("calibrate must be left out with fine_tune, which begins with the nearest integers")
    rounded = round_delays(trained, delay_step)
    calibrated, validation = 0, list[float]()
    if fine_tune:
        spec, validation = _fine_tuned(trained, rounded, data, (weight_bits, value_bits), fine_tune)
    elif calibrate:
        config = trained.recipe or Config(network=trained.config)
        counts = choose(_to_calibrate(config, data), calibrate, config.training.seed)
        calibrated = len(counts)
        with step(f"Rounding the weights for {calibrated} recordings"):
            spec = round_for(rounded, counts, weight_bits=weight_bits, value_bits=value_bits)
    else:
        spec = round_nearest(rounded, weight_bits=weight_bits, value_bits=value_bits)
    spec, rated = _rated(source, spec, data)
    info = {
        **source.binning,
        **({"checkpoint_sha256": sha256(checkpoint_path(source.path))} if source.path else {}),
        "weight_bits": weight_bits,
        "value_bits": spec.value_bits,
        "delay_step": delay_step,
        "rounded_to_zero": sum(rounded_to_zero(rounded, spec)),
        "rates_of_samples": rated,
        "calibrated_on": calibrated,
        "fine_tuning": {"epochs": fine_tune, "validation": validation},
    }
    return IntegerNetwork(spec, info)


def _fine_tuned(
    trained: SpikingNetwork, rounded: SpikingNetwork, data: Data | None, bits: tuple[int, int | None], epochs: int
) -> tuple[NetworkSpec, list[float]]:
    """The integer network of weight and value bits, and its accuracy after each epoch."""
    config, parts = _training(trained, data)
    if int(parts[0].labels.min()) == UNKNOWN:
        raise InputError("data must have labels with fine_tune, not samples alone")
    warn_if_few(len(parts[1]))
    return tune(
        rounded,
        config,
        parts,
        weight_bits=bits[0],
        value_bits=bits[1],
        epochs=epochs,
        report=lambda epoch, accuracy: say(f"epoch {epoch}: validation accuracy in integers {accuracy:.4f}"),
    )


def _to_calibrate(config: Config, data: Data | None) -> Tensor:
    """Samples of which nothing is held out, as nothing is chosen by them, unless they are of a data set with parts."""
    assert data is not None
    if isinstance(data, SpikeData):
        return torch.from_numpy(fitting(data, config.network).counts)
    if is_array_file(data):
        return torch.from_numpy(fitting(load_arrays(Path(data)), config.network).counts)
    return load_parts(config, Path(data))[0].counts


def _training(network: SpikingNetwork, data: Data | None) -> tuple[Config, tuple[Samples, Samples]]:
    """How the network was trained, as far as that is known, and the samples to train on and to choose by."""
    assert data is not None
    config = network.recipe or Config(network=network.config)
    return config, load_parts(config, data if isinstance(data, SpikeData) else Path(data))


def _rated(source: Opened, spec: NetworkSpec, data: Data | None) -> tuple[NetworkSpec, int]:
    """The network with the rates of its axons on training samples, and on how many of them."""
    if isinstance(data, SpikeData):
        some = source.samples(data, "train", at_most=SAMPLES)
        return measured(spec, some.counts), len(some)
    return with_rates(spec, None if data is None else Path(data), source.binning, source.path)
