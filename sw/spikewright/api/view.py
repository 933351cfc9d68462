"""A network as a page."""

from __future__ import annotations

from spikewright.api.result import Result
from spikewright.api.source import AnyNetwork, AnyPath, Data
from spikewright.contract.defaults import VIEW, VIEWED_SAMPLES
from spikewright.contract.shown import Facts, percent, thousands
from spikewright.nir.convert import as_spiking_network
from spikewright.nir.network import ForeignNetwork
from spikewright.support.progress import step
from spikewright.viewer.page import view as write


class View(Result):
    """A page that shows a network.

    Attributes
    ----------
    page : str
        The file.
    network : list of int
        Sizes, from the inputs to the classes.
    weights, synapses : int
        Entries of the weight matrices, and those that are not zero.
    sparsity : float
        Share of exact zeros.
    samples, accuracy, cycles : number or None
        Of the recordings that are shown: how many, how many of them right (0 .. 1), mean cycles of an inference.
    bits_per_synapse, limit : float or None
        As stored in a core, and the least that any encoding takes.
    """

    page: str
    network: list[int]
    weights: int
    synapses: int
    sparsity: float
    samples: int | None
    accuracy: float | None
    cycles: float | None
    bits_per_synapse: float | None
    limit: float | None

    def facts(self) -> Facts:
        facts = [
            ("network", f"{self['kind']}, {'-'.join(map(str, self.network))}"),
            ("zero weights", f"{percent(self.sparsity)}, {thousands(self.synapses)} synapses left"),
        ]
        if self.accuracy is not None:
            facts.append(("accuracy", f"{percent(self.accuracy)} ({self.samples} samples)"))
        if self.cycles is not None:
            facts.append(("cycles", f"{thousands(self.cycles)}, mean of an inference"))
        if self.bits_per_synapse is not None and self.limit is not None:
            of_limit = self.bits_per_synapse / self.limit
            facts.append(("bits per synapse", f"{self.bits_per_synapse:.2f}, {of_limit:.2f} of the limit"))
        facts.append(("page", f"{self.page} ({thousands(self['bytes'] / 1000)} kB)"))
        return facts


def view(
    network: AnyNetwork,
    data: Data | None = None,
    *,
    out: AnyPath = VIEW,
    split: str = "test",
    samples: int = VIEWED_SAMPLES,
    lanes: int | None = None,
    weight_bits: int | None = None,
) -> View:
    """Write a page that shows a network, one HTML file that needs no server: open it in a browser.

    Parameters
    ----------
    network : network, or its path, or a build
        A float or an integer network, a checkpoint, a model, the name of a shipped checkpoint, or a build folder.
    data : SpikeData, folder or "sample", optional
        Recordings on which spikes, scores and cycles are shown.
    out : path
        File to write; one that is there is replaced.
    split : "train", "valid" or "test"
        Part of a folder's data set.
    samples : int
        Show the first so many, all if there are fewer.
    lanes : int, optional
        Of the core that is shown, 8 by default; a build has its own.
    weight_bits : int, optional
        Of the integers that a float network becomes for that core, 8 by default.

    Raises
    ------
    InputError
        If the network or the data cannot be read, or do not fit each other, or the page cannot be written.
    """
    options = {"split": split, "samples": samples, "lanes": lanes, "weight_bits": weight_bits}
    if isinstance(network, ForeignNetwork):
        network = as_spiking_network(network)
    with step("Looking at the network"):
        return View(write(network, data, out, **options))  # type: ignore[arg-type]
