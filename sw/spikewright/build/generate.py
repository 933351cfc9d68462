"""Build folders: made of an integer network by `spikewright generate`; simulation and synthesis start from them."""

from __future__ import annotations

import gc
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spikewright import __version__
from spikewright.build.digest import digest
from spikewright.build.kit import write_kit
from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES
from spikewright.contract.devices import TARGETS
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError, errors_in
from spikewright.contract.names import CORE_NAME, LAYERS, Layers, check_core_name, check_lanes, core_name
from spikewright.contract.network import NetworkSpec
from spikewright.contract.stream import StreamFormat
from spikewright.integer.file import load_info, load_model, save_model
from spikewright.layout.capacity import Capacity, capacity_for, capacity_of, check_shape, pack_into
from spikewright.layout.pack import pack
from spikewright.layout.placement import encodings
from spikewright.layout.price import place_stored, split_widths
from spikewright.layout.prune import prune
from spikewright.support.environment import amaranth_environment
from spikewright.support.files import MANIFEST, atomic_dir, atomic_path, read_manifest, sha256, write_manifest

FORMAT = "spikewright-build-1"
MODEL = "model.safetensors"


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


def write_image(model: Path | str, build_dir: Path | str, out: Path | str) -> dict[str, Any]:
    """Write the load image of another network for the core of a build folder.

    Parameters
    ----------
    model : Path
        Integer network by `save_model`.
    build_dir : Path
        Folder that `build` made with `loadable`.
    out : Path
        File to write.

    Returns
    -------
    dict
        JSON-ready: `image`, `bytes`, `build_dir`, `synapses`, `fingerprint` and `model_sha256`.

    Raises
    ------
    InputError
        If the network does not fit; names what, the limit and the value.
    """
    manifest, core = open_build(build_dir, model)
    image = image_of(Path(build_dir), manifest, core)
    with atomic_path(Path(out)) as part:
        part.write_bytes(image)
    return {
        "image": str(out),
        "bytes": len(image),
        "build_dir": str(build_dir),
        "synapses": sum(layer.synapses for layer in core.network.layers),
        "fingerprint": manifest["load"]["fingerprint"],
        "model_sha256": sha256(model),
    }


def image_of(build_dir: Path, manifest: dict[str, Any], core: CoreSpec) -> bytes:
    """The load image of `core`, which is for the Verilog of a build folder."""
    from spikewright_hw.verilog import load_image

    image, fingerprint = load_image(core)
    if fingerprint.hex() != manifest["load"]["fingerprint"]:
        raise InputError(
            f"{build_dir / MANIFEST}: load.fingerprint must be {fingerprint.hex()}, as the core is made now, not "
            f"{manifest['load']['fingerprint']}: generate it anew"
        )
    return image


def memory_bits(core: CoreSpec, images: dict[str, dict[str, int]]) -> dict[str, int]:
    """Bits by memory, those of all lanes together: the images, then what is written at run time."""
    bits: dict[str, int] = {}
    for name, image in images.items():
        memory = re.sub(r"\d*(_bits\d+)?$", "", name)
        bits[memory] = bits.get(memory, 0) + image["words"] * image["width"]
    for index, layer in enumerate(core.layers):
        for name, words, width in core.states(index):
            bits[name] = words * width * layer.lanes
        for kind, plan in layer.plans.items():
            bits[f"layer{index}_{kind}ring"] = core.ring_bits(plan)
    return bits


def encoding_sizes(core: CoreSpec) -> dict[str, dict[str, dict[str, int]]]:
    """By layer and encoding of its synapses: bits, pointers included, and block RAMs of every family of devices.

    Where the layers share lanes, all their synapses are those of `engine`.
    """
    return {
        where: {
            name: {"bits": stored.bits} | {f"{family}_brams": place_stored(stored, family).brams for family in TARGETS}
            for name, stored in encodings(image).items()
        }
        for where, image in core.memories.items()
    }


def silent_cycles(core: CoreSpec) -> int:
    """Clock cycles of a sample of the full length without any event: the least an inference takes."""
    import torch

    from spikewright.integer.reference import IntegerNetwork
    from spikewright.predict.cycles import CycleModel

    network = core.network
    values = torch.zeros((1, network.timesteps, network.inputs), dtype=torch.uint8)
    trace = IntegerNetwork(network).run(values)
    spikes = [layer[0].numpy() for layer in trace.spikes]
    return CycleModel(core).run(values[0].numpy(), spikes, 0).latency


def open_build(build_dir: Path | str, model: Path | str | None = None) -> tuple[dict[str, Any], CoreSpec]:
    """Manifest and core of a build folder.

    The core is laid out anew from the network in the folder: a changed memory image is for the simulation to find. So
    a folder of a version that lays it out otherwise, or has cores of other cycles, is refused: in a simulation it would
    look like faulty hardware.

    Parameters
    ----------
    build_dir : Path
    model : Path, optional
        Network to load, instead of the one in the folder.

    Raises
    ------
    InputError
        If the folder is not by `build`, or by that of another version, or a file of it is damaged; if `model` cannot be
        loaded.
    """
    build_dir = Path(build_dir)
    manifest = read_manifest(build_dir)
    if manifest.get("format") != FORMAT:
        if str(manifest.get("format")).startswith(FORMAT.rstrip("0123456789")):
            raise _made_otherwise(build_dir, manifest)
        raise InputError(f"{build_dir / MANIFEST}: format must be {FORMAT!r}, not {manifest.get('format')!r:.60}")
    if "layout_sha256" not in manifest:
        raise _made_otherwise(build_dir, manifest)
    core_name(manifest, build_dir / MANIFEST)
    with errors_in(build_dir / MANIFEST):
        check_lanes(manifest.get("lanes"))
        stream = StreamFormat.from_manifest(manifest)
    layers = manifest.get("layers", LAYERS[0])
    if layers not in LAYERS:
        raise InputError(f"{build_dir / MANIFEST}: layers must be one of {', '.join(LAYERS)}, not {layers!r:.60}")
    core = _open_core(build_dir, manifest, None, layers, _encodings(build_dir, manifest))
    if manifest.get("model_sha256") != sha256(build_dir / MODEL):
        raise InputError(f"{build_dir / MODEL} must be the network that {MANIFEST} beside it tells of, not another one")
    if manifest["layout_sha256"] != digest(core):
        raise _made_otherwise(build_dir, manifest)
    if model is not None:
        core = _open_core(build_dir, manifest, model, layers, [])
    for name, value in StreamFormat.of(core).widths().items():
        if (found := stream.widths()[name]) != value:
            raise InputError(f"{build_dir / MANIFEST}: stream.{name} must be {value} for {MODEL}, not {found}")
    check_images(build_dir, manifest.get("images"))
    return manifest, core


def _made_otherwise(build_dir: Path, manifest: dict[str, Any]) -> InputError:
    made = f"{manifest.get('spikewright', 'unknown')!s:.20}"
    return InputError(
        f"{build_dir} was made by another version of spikewright (version {made}, this is {__version__}): "
        "generate it again"
    )


def _encodings(build_dir: Path, manifest: dict[str, Any]) -> list[str]:
    """The encodings of the memories of a core, in their order."""
    chosen = manifest.get("encoding")
    if not isinstance(chosen, dict):
        raise InputError(f"{build_dir / MANIFEST}: encoding must be an object, not {chosen!r:.60}")
    for where, encoding in chosen.items():
        if encoding not in encoding_names():
            allowed = ", ".join(encoding_names())
            raise InputError(f"{build_dir / MANIFEST}: encoding.{where} must be one of {allowed}, not {encoding!r:.60}")
    return list(chosen.values())


def _open_core(
    build_dir: Path, manifest: dict[str, Any], model: Path | str | None, layers: Layers, encoding: list[str]
) -> CoreSpec:
    own = load_model(build_dir / MODEL)
    if "load" not in manifest:
        if model is not None:
            raise InputError(f"{build_dir} must be made by `generate --weights loadable` to take another network")
        memories = (len(CORES[layers].shares) or len(own.layers)) if CORES[layers].encodes else 0
        if len(encoding) != memories:
            raise InputError(f"{build_dir / MANIFEST}: encoding must have {memories} entries, not {len(encoding)}")
        with errors_in(build_dir / MANIFEST):
            return pack(own, manifest["lanes"], layers=layers, encoding=encoding)
    with errors_in(build_dir / MANIFEST):
        capacity = Capacity.from_dict(manifest.get("capacity"))
    if capacity.kind != layers:
        raise InputError(f"{build_dir / MANIFEST}: capacity must be of {layers} layers, not of {capacity.kind} ones")
    load = manifest["load"]
    if not isinstance(load, dict) or not isinstance(load.get("fingerprint"), str):
        raise InputError(f"{build_dir / MANIFEST}: load must be an object with a fingerprint, not {load!r:.60}")
    network = own if model is None else load_model(Path(model))
    with errors_in(build_dir / MODEL if model is None else model):
        check_shape(network, own)
        return pack_into(network, manifest["lanes"], capacity)


def check_images(build_dir: Path, images: Any) -> None:
    """Every image must be there, whole; what its words are is for the simulation to find."""
    if not isinstance(images, dict):
        raise InputError(f"{build_dir / MANIFEST}: images must be an object, not {images!r:.60}")
    for name, image in images.items():
        words = image.get("words") if isinstance(image, dict) else None
        if not re.fullmatch(r"\w+", name, re.ASCII) or type(words) is not int:
            raise InputError(f"{build_dir / MANIFEST}: images must have names and numbers of words, not {name!r:.60}")
        file = build_dir / f"{name}.hex"
        try:
            lines = file.read_text("ascii").splitlines()
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise InputError(f"{file} must hold hexadecimal words, not other bytes") from None
        lines = [line for line in lines if not line.startswith("//")]
        if bad := [line for line in lines if not re.fullmatch(r"[0-9a-f]+", line)]:
            raise InputError(f"{file} must hold hexadecimal words, not {bad[0]!r:.60}")
        if len(lines) != words:
            raise InputError(f"{file} must hold {words} words, not {len(lines)}")
