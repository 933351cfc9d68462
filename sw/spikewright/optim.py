"""Public names of `spikewright.learn.optim`, where the package itself imports them from."""

from spikewright.learn.optim import AdaBreg, LinBreg, ProxSGD, SparsityController, sparse_init_, sparsity

__all__ = [
    "AdaBreg",
    "LinBreg",
    "ProxSGD",
    "SparsityController",
    "sparse_init_",
    "sparsity",
]
