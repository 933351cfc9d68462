"""Verilog and memory images of a core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Fragment

from spikewright.contract.layout import CoreSpec

from .core import AxiCore

TOP = "spikewright_core"
LOAD_IMAGE = "weights.bin"
Split = Callable[[int, int], Sequence[int]]


@dataclass
class Images:
    """Platform that collects the contents of memories, so that they become files beside the netlist.

    Parameters
    ----------
    split : callable, optional
        Called with the number of words and the width of a read-only memory; returns the widths of the memories that it
        is split into, the lowest bits first.
    """

    split: Split = lambda words, width: [width]
    images: dict[str, tuple[int, list[int]]] = field(default_factory=dict)

    def add_image(self, name: str, width: int, words: Sequence[int]) -> None:
        if name in self.images:
            raise ValueError(f"memory images must have different names, not {name} twice")
        self.images[name] = (width, list(words))

    def write(self, folder: Path) -> None:
        """`<name>.hex` of every memory, into the existing `folder`."""
        for name, (width, words) in self.images.items():
            (folder / f"{name}.hex").write_text(image_text(width, words))


def image_text(width: int, words: Sequence[int]) -> str:
    """Contents of a memory for `$readmemh`: a comment with its size, then a word per line."""
    digits = -(-width // 4)
    zeros = sum(not word for word in words)
    lines = [f"// {len(words)} words of {width} bits, {zeros} of them zero"]
    lines += [f"{word:0{digits}x}" for word in words]
    return "\n".join(lines) + "\n"


def load_image(spec: CoreSpec) -> tuple[bytes, bytes]:
    """The load image of a core whose memories are loaded at run time, and its fingerprint, see `Loader`."""
    core = AxiCore(spec)
    assert core.loader is not None
    Fragment.get(core, Images())  # Amaranth warns of what was made and is part of no design.
    return core.loader.image(), core.loader.fingerprint


def generate(spec: CoreSpec, folder: Path, split: Split | None = None) -> dict[str, Any]:
    """Write `spikewright_core.v` and the memory images, or the load image, of `spec` into the existing `folder`.

    Parameters
    ----------
    spec : CoreSpec
    folder : Path
    split : callable, optional
        See `Images`.

    Returns
    -------
    dict
        For the manifest: `top`, `verilog`, `images` (by name: `words`, `width`), `stream` (what a host must know of
        the beats), `state_bits` (by layer) and `score_bits`; where memories are loaded at run time, `load`: `image` and
        its `bytes`, `fingerprint`, `memories` (as `images`).
    """
    core = AxiCore(spec)
    images = Images() if split is None else Images(split)
    text = verilog.convert(
        core,
        name=TOP,
        platform=images,
        strip_internal_attrs=True,
        missing_domain=lambda name: ClockDomain(name, reset_less=True),
    )
    parts = ("spikewright_reset.v", "spikewright_ram.v" if spec.loadable else "spikewright_rom.v")
    text = "\n".join([text, *(Path(__file__).with_name(part).read_text() for part in parts)])
    (folder / f"{TOP}.v").write_text(text)
    images.write(folder)
    load: dict[str, Any] = {}
    if core.loader is not None:
        image = core.loader.image()
        (folder / LOAD_IMAGE).write_bytes(image)
        load["load"] = {
            "image": LOAD_IMAGE,
            "bytes": len(image),
            "fingerprint": core.loader.fingerprint.hex(),
            "memories": {target.name: {"words": target.depth, "width": target.width} for target in core.loader.targets},
        }
    network = spec.network
    return {
        "top": TOP,
        "verilog": f"{TOP}.v",
        "images": {name: {"words": len(words), "width": width} for name, (width, words) in images.images.items()},
        "stream": {
            "input_bytes": core.input_bytes,
            "axon_bits": core.axon_bits,
            "value_bits": core.value_bits,
            "mark_bit": core.axon_bits + core.value_bits,
            "output_bytes": core.output_bytes,
            "classes": network.classes,
            "inputs": network.inputs,
            "timesteps": network.timesteps,
        },
        "state_bits": {f"layer{index}": spec.state_bits(index) for index in range(len(spec.layers))},
        "score_bits": core.core.score_bits,
        **load,
    }
