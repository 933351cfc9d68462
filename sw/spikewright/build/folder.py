"""Build folders that are opened, and held against what this version makes of their network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from spikewright import __version__
from spikewright.build.digest import digest
from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError, errors_in
from spikewright.contract.names import LAYERS, Layers, check_lanes, core_name
from spikewright.contract.stream import StreamFormat
from spikewright.integer.file import load_model
from spikewright.layout.capacity import Capacity, check_shape, pack_into
from spikewright.layout.pack import pack
from spikewright.support.files import MANIFEST, read_manifest, sha256

FORMAT = "spikewright-build-1"
MODEL = "model.safetensors"


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
