"""Load images: what a core that is loaded at run time is given, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikewright.build.folder import open_build
from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError
from spikewright.support.files import MANIFEST, atomic_path, sha256


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
