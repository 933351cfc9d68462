"""What no encoding of synapses can go below."""

from __future__ import annotations

import math


def bits_per_synapse(weights: int, synapses: int, weight_bits: int) -> float:
    """Bits per stored synapse that no encoding of their positions can go below on average.

    Which `synapses` of `weights` places are taken is one of C(weights, synapses) choices, to which come the bits of
    each weight: log2(C(weights, synapses)) / synapses + weight_bits.

    Parameters
    ----------
    weights : int
        Entries of the weight matrices, zeros included.
    synapses : int
        Those that are not zero, at least one.
    weight_bits : int
    """
    choices = math.lgamma(weights + 1) - math.lgamma(synapses + 1) - math.lgamma(weights - synapses + 1)
    return choices / math.log(2) / synapses + weight_bits
