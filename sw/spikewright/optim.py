"""Public names of the optimizers; the package itself imports them from `spikewright.learn`."""

from spikewright.learn.controller import SparsityController
from spikewright.learn.optim import AdaBreg, LinBreg, ProxSGD
from spikewright.learn.sparsity import sparse_init_, sparsity

__all__ = [
    "AdaBreg",
    "LinBreg",
    "ProxSGD",
    "SparsityController",
    "sparse_init_",
    "sparsity",
]
