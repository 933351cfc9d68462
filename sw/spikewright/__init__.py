"""Sparse spiking neural networks, from PyTorch to verified hardware.

The way from a training to a bitstream, each call of which takes what another one returns, or the path of it:

>>> import spikewright as sw
>>> network = sw.load_network("shd-adabreg90")  # or sw.train("synth-small", "digits", epochs=20).network
>>> model = sw.quantize(network, weight_bits=8)
>>> sw.evaluate(model, "sample").accuracy
>>> build = sw.generate(model, "core", lanes=4)
>>> sw.simulate(build, "sample", samples=5).check()
>>> sw.synth(build, board="ulx3s-85f")

Samples are (samples, timesteps, channels) everywhere. Nothing heavy is imported before it is used.
"""

import sys
from typing import Any

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spikewright.api.asic import asic as asic
    from spikewright.api.data import load_data as load_data
    from spikewright.api.data import make_digits as make_digits
    from spikewright.api.evaluate import evaluate as evaluate
    from spikewright.api.explore import explore as explore
    from spikewright.api.generate import generate as generate
    from spikewright.api.hardware import boards as boards
    from spikewright.api.hardware import program as program
    from spikewright.api.hardware import run as run
    from spikewright.api.listen import listen as listen
    from spikewright.api.networks import build_network as build_network
    from spikewright.api.networks import load_network as load_network
    from spikewright.api.networks import save_network as save_network
    from spikewright.api.quantize import quantize as quantize
    from spikewright.api.simulate import simulate as simulate
    from spikewright.api.synth import map_to_family as map_to_family
    from spikewright.api.synth import synth as synth
    from spikewright.api.train import train as train
    from spikewright.api.view import view as view
    from spikewright.contract.errors import CheckFailed as CheckFailed
    from spikewright.contract.errors import InputError as InputError
    from spikewright.contract.network import NetworkSpec as NetworkSpec
    from spikewright.data.shd import SpikeData as SpikeData
    from spikewright.integer.reference import IntegerNetwork as IntegerNetwork
    from spikewright.learn.config import LayerConfig as LayerConfig
    from spikewright.learn.controller import SparsityController as SparsityController
    from spikewright.learn.networks import SpikingNetwork as SpikingNetwork
    from spikewright.learn.optim import AdaBreg as AdaBreg
    from spikewright.learn.optim import LinBreg as LinBreg
    from spikewright.learn.optim import ProxSGD as ProxSGD
    from spikewright.learn.recipe import parameter_groups as parameter_groups
    from spikewright.learn.regularizers import L1 as L1
    from spikewright.learn.regularizers import GroupL1L2 as GroupL1L2
    from spikewright.learn.regularizers import NoRegularizer as NoRegularizer
    from spikewright.learn.regularizers import PositiveL1 as PositiveL1
    from spikewright.learn.regularizers import Regularizer as Regularizer
    from spikewright.learn.sparsity import sparse_init_ as sparse_init_
    from spikewright.learn.sparsity import sparsity as sparsity
    from spikewright.nir.load import import_nir as import_nir

_WHERE = {
    "load_data": "spikewright.api.data",
    "make_digits": "spikewright.api.data",
    "SpikeData": "spikewright.data.shd",
    "build_network": "spikewright.api.networks",
    "load_network": "spikewright.api.networks",
    "save_network": "spikewright.api.networks",
    "LayerConfig": "spikewright.learn.config",
    "SpikingNetwork": "spikewright.learn.networks",
    "import_nir": "spikewright.nir.load",
    "train": "spikewright.api.train",
    "AdaBreg": "spikewright.learn.optim",
    "LinBreg": "spikewright.learn.optim",
    "ProxSGD": "spikewright.learn.optim",
    "SparsityController": "spikewright.learn.controller",
    "parameter_groups": "spikewright.learn.recipe",
    "sparse_init_": "spikewright.learn.sparsity",
    "sparsity": "spikewright.learn.sparsity",
    "Regularizer": "spikewright.learn.regularizers",
    "L1": "spikewright.learn.regularizers",
    "GroupL1L2": "spikewright.learn.regularizers",
    "PositiveL1": "spikewright.learn.regularizers",
    "NoRegularizer": "spikewright.learn.regularizers",
    "quantize": "spikewright.api.quantize",
    "IntegerNetwork": "spikewright.integer.reference",
    "NetworkSpec": "spikewright.contract.network",
    "evaluate": "spikewright.api.evaluate",
    "view": "spikewright.api.view",
    "explore": "spikewright.api.explore",
    "generate": "spikewright.api.generate",
    "simulate": "spikewright.api.simulate",
    "synth": "spikewright.api.synth",
    "map_to_family": "spikewright.api.synth",
    "asic": "spikewright.api.asic",
    "boards": "spikewright.api.hardware",
    "program": "spikewright.api.hardware",
    "run": "spikewright.api.hardware",
    "listen": "spikewright.api.listen",
    "InputError": "spikewright.contract.errors",
    "CheckFailed": "spikewright.contract.errors",
}
"""Where each public name is, in the order of the way; a name must not be that of a module in this folder."""

__all__ = ["__version__", *_WHERE]  # noqa: PLE0604 - the names are those of the table


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        # With both, Python suggests the name that was nearly given.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    from importlib import import_module

    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
