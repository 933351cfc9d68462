"""Build folders: made of an integer network by `spikewright generate`; simulation and synthesis start from them."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spikewright import __version__
from spikewright.build.costs import encoding_sizes, memory_bits, silent_cycles
from spikewright.build.digest import digest
from spikewright.build.folder import FORMAT, MODEL
from spikewright.build.kit import write_kit
from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES
from spikewright.contract.devices import TARGETS
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError, errors_in
from spikewright.contract.names import CORE_NAME, LAYERS, Layers, check_core_name, check_lanes
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import load_info, load_model, save_model
from spikewright.layout.capacity import capacity_for, capacity_of, check_shape, pack_into
from spikewright.layout.pack import pack
from spikewright.layout.price import split_widths
from spikewright.layout.prune import prune
from spikewright.support.environment import amaranth_environment
from spikewright.support.files import atomic_dir, sha256, write_manifest


@dataclass(frozen=True)
class Loadable:
    """Memories that are loaded at run time, see `capacity.capacity_for`.

    Parameters
    ----------
    margin : float
        At least 0: capacity beyond what the networks need, as a share of that.
    room_for : sequence of Path
        Other networks that must fit.
    """

    margin: float
    room_for: Sequence[Path] = ()


def build(
    model: Path | str,
    out: Path | str,
    lanes: int = 8,
    *,
    layers: Layers = "parallel",
    encoding: str = "auto",
    target: str | None = None,
    without_idle: bool = False,
    loadable: Loadable | None = None,
    name: str = CORE_NAME,
    init: bool = False,
    trace: bool = False,
) -> dict[str, Any]:
    """Write Verilog, memory images, the integer network and a manifest.

    Parameters
    ----------
    model : Path
        Integer network by `save_model`.
    out : Path
        Folder to make.
    lanes : int
        One of `LANES`.
    layers : "parallel", "shared" or "slotted"
        Every layer has lanes of its own, all at work at once; or all take turns on the same ones; or every layer reads
        the synapses of an event for all its neurons at once.
    encoding : str
        "auto", or one of `encoding_names()`.
        How the memories tell the neurons of the synapses, see `pack`. A core that is loaded at run time has "absolute".
    target : str, optional
        Family of devices that encodings and memories are chosen for, one of `TARGETS`; "ecp5" by default. The
        Verilog is for any. None for a core that is loaded at run time, which leaves nothing to choose.
    without_idle : bool
        Leave out neurons without any effect, see `prune`: the network in the folder is the smaller one, and the
        manifest names them under `removed`, by their numbers in `model`.
    loadable : Loadable, optional
        Memories are loaded at run time, instead of holding `model` from the start. The folder gets the load image of
        `model`.
    name : str
        Of the core, and what the names of its modules begin with: cores of different names can be in one design.
    init : bool
        Write the initial values of registers, which a core that is reset does not need.
    trace : bool
        Give the core its trace ports in any case, not only where `contract.names.TRACE` is defined.

    Returns
    -------
    dict
        The manifest, JSON-ready.

    Raises
    ------
    InputError
        If a model is damaged or does not fit the others, `lanes`, `layers`, `encoding` or `target` is not supported, or
        `out` is somebody else's folder.
    """
    from spikewright_hw.verilog import generate

    model = Path(model)
    check_core_name(name)
    check_lanes(lanes)
    if layers not in LAYERS:
        raise InputError(f"layers must be one of {', '.join(LAYERS)}, not {layers!r}")
    if encoding not in ("auto", *encoding_names()):
        raise InputError(f"encoding must be auto or one of {', '.join(encoding_names())}, not {encoding!r}")
    if target is not None and target not in TARGETS:
        raise InputError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    if target is not None and loadable is not None:
        raise InputError(f"target must be left out for a core that is loaded at run time, and not be {target}")
    target = target or "ecp5"
    if loadable is not None and encoding not in ("auto", "absolute"):
        raise InputError(f"encoding of a core that is loaded at run time must be absolute, not {encoding}")
    if loadable is not None and not CORES[layers].encodes:
        able = " or ".join(kind for kind in LAYERS if CORES[kind].encodes)
        raise InputError(f"layers of a core that is loaded at run time must be {able}, not {layers}")
    if without_idle and loadable is not None:
        # What has no effect in one network has some in another.
        raise InputError("a core that is loaded at run time must have all neurons, not be without idle ones")
    whole = load_model(model)
    network, removed = prune(whole) if without_idle else (whole, {})
    if loadable is None:
        core = pack(network, lanes, layers=layers, encoding=encoding, target=target)
    else:
        core = _loadable_core(whole, lanes, layers, loadable)
    with atomic_dir(out) as folder:
        with _without_collector(), amaranth_environment(folder):
            generated = generate(core, folder, partial(split_widths, family=target), name=name, init=init, trace=trace)
        if network is whole:
            shutil.copyfile(model, folder / MODEL)
        else:
            save_model(folder / MODEL, network, {"pruned_from_sha256": sha256(model)})
        stored = generated["images"] if loadable is None else generated["load"]["memories"]
        manifest = {
            "format": FORMAT,
            "lanes": lanes,
            "layers": layers,
            "target": target if loadable is None else None,
            "model_sha256": sha256(folder / MODEL),
            "layout_sha256": digest(core),
            "sample": [network.timesteps, network.inputs],
            "network": [network.inputs, *(layer.neurons for layer in network.layers)],
            "removed": removed,
            "synapses": sum(layer.synapses for layer in network.layers),
            "weights": sum(layer.weights.size for layer in network.layers),
            "memory_bits": memory_bits(core, stored),
            "encoding": {where: image.encoding for where, image in core.memories.items()},
            "encodings": encoding_sizes(core),
            "predicted_cycles": {"silent_sample": silent_cycles(core)},
            **({} if loadable is None else {"capacity": capacity_of(core).as_dict()}),
            **generated,
        }
        write_kit(folder, manifest, core, load_info(model))
        write_manifest(folder, manifest)
    return {"spikewright": __version__, **manifest}


@contextmanager
def _without_collector() -> Iterator[None]:
    """No search for garbage: a third of the time, as a netlist is millions of small objects that all stay in use."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _loadable_core(network: NetworkSpec, lanes: int, layers: Layers, loadable: Loadable) -> CoreSpec:
    networks = [network]
    for path in loadable.room_for:
        other = load_model(path)
        with errors_in(path):
            check_shape(other, network)
        networks.append(other)
    return pack_into(network, lanes, capacity_for(networks, lanes, loadable.margin, layers))
