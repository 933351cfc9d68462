"""The kit of a build folder: what somebody needs who puts the core into a design of his own.

Each part is a file in `templates`, see `PARTS`; what all of them are told of the core is made here. In a template,
`@NAME@` is replaced, a line that begins with `@loadable@` is there for cores only that are loaded at run time, and one
with `@fixed@` for the others only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from spikewright import __version__
from spikewright.build.kit.vectors import SAMPLES, make_vectors
from spikewright.contract.core import CoreSpec
from spikewright.contract.stream import StreamFormat

PARTS = {
    "README.md": "README.md",
    "core.core": "{top}.core",
    "instance.v": "kit/{top}_instance.v",
    "axis.v": "kit/{top}_axis.v",
    "tb.v": "kit/{top}_tb.v",
    "constraints.sdc": "kit/{top}.sdc",
    "constraints.xdc": "kit/{top}.xdc",
    "litex.py": "kit/{top}_litex.py",
    "bench.py": "kit/cocotb/bench_{top}.py",
    "runner.py": "kit/cocotb/test_{top}.py",
    "Makefile": "kit/cocotb/Makefile",
}
"""Files of a build folder, by their templates, whose names end with ".in"."""
_NS_OF_A_CYCLE = 10


def write_kit(folder: Path, manifest: Mapping[str, Any], core: CoreSpec, info: dict[str, Any]) -> None:
    """Write the kit into a build folder that is complete up to its manifest.

    Parameters
    ----------
    folder : Path
    manifest : dict
        The one that the folder will get.
    core : CoreSpec
    info : dict
        What the file of the network says of where it comes from, see `make_vectors`.
    """
    top = manifest["top"]
    stream = StreamFormat.of(core)
    vectors = make_vectors(core, info)
    (folder / "kit" / "cocotb").mkdir(parents=True)
    for name, words, bits in (
        ("sent", vectors.sent, 8 * stream.input_bytes + 1),
        ("answers", vectors.answers, 8 * stream.output_bytes + 1),
        ("latencies", vectors.latencies, 32),
    ):
        lines = [f"{word:0{-(-bits // 4)}x}" for word in words]
        (folder / "kit" / f"{top}_{name}.hex").write_text("\n".join([f"// {vectors.origin}", *lines]) + "\n")
    settle = core.settle + 8
    longest = max(vectors.latencies)
    values = {
        **_of_files(manifest),
        **_of_streams(stream, core),
        **_of_memories(manifest, core),
        "TOP": top,
        "MACRO": top.upper(),
        "VERSION": __version__,
        "ORIGIN": vectors.origin,
        "SIZES": "-".join(map(str, manifest["network"])),
        "SYNAPSES": manifest["synapses"],
        "SAMPLES": SAMPLES,
        "BEATS": len(vectors.sent),
        "ANSWERS": len(vectors.answers),
        "SETTLE": settle,
        "PATIENCE": 2 * longest + 10_000,
        "TIMEOUT_US": 4
        * _NS_OF_A_CYCLE
        * SAMPLES
        * (longest + 10_000 + manifest.get("load", {}).get("bytes", 0))
        // 1000,
        "SILENT": f"{manifest['predicted_cycles']['silent_sample']:,}",
        "LATENCY_ROWS": "\n".join(f"| sample {k} of the bench | {n:,} |" for k, n in enumerate(vectors.latencies)),
    }
    for template, name in PARTS.items():
        (folder / name.format(top=top)).write_text(_filled(template, values, core.loadable))


def _filled(template: str, values: Mapping[str, Any], loadable: bool) -> str:
    text = resources.files(__package__).joinpath("templates", f"{template}.in").read_text("utf-8")
    drop, keep = ("@fixed@", "@loadable@") if loadable else ("@loadable@", "@fixed@")
    text = "".join(line.removeprefix(keep) for line in text.splitlines(keepends=True) if not line.startswith(drop))
    return re.sub(r"@([A-Z_]+)@", lambda found: str(values[found[1]]), text)


def _of_files(manifest: Mapping[str, Any]) -> dict[str, Any]:
    verilog, loadable = manifest["verilog"], "load" in manifest
    images = [f"{name}.hex" for name in manifest["images"]]
    rows = [f"| `{verilog[0]}` | the core |"]
    rows += [f"| `{name}` | its memories that are {_kind(name)} |" for name in verilog[1:]]
    rows.append("| `weights.bin` | the load image |" if loadable else "| `*.hex` | contents of its memories |")
    return {
        "FILES": " ".join(verilog),
        "FILES_COMMAS": ", ".join(verilog),
        "FILES_LIST": repr(verilog),
        "FILE_ROWS": "\n".join(rows),
        "IMAGES_CORE": "\n".join(f"      - {name}: {{copyto: {name}}}" for name in images),
        "COMMA_IMAGES": "" if loadable else ", images",
        "LOAD_IMAGE": repr(manifest["load"]["image"] if loadable else ""),
        "LOAD_BYTES": manifest["load"]["bytes"] if loadable else 0,
        "FINGERPRINT": manifest["load"]["fingerprint"] if loadable else "",
        "LOAD_BUS": ":s_load" if loadable else "",
        "FIXED_IMAGES": "" if loadable else " #(.IMAGES(BUILD))",
        "IMAGES_PARAMETER": "" if loadable else ' #(\n    parameter IMAGES = "./"\n)',
        "IMAGES_THROUGH": "" if loadable else " #(.IMAGES(IMAGES))",
        "INSTANCE_IMAGES": "" if loadable else ' #(.IMAGES("build/"))',
        "RUNNER_PARAMETERS": "{}" if loadable else """{"IMAGES": f'"{BUILD}/"'}""",
    }


def _kind(verilog: str) -> str:
    return "written" if verilog.endswith("_ram.v") else "only read"


def _of_streams(stream: StreamFormat, core: CoreSpec) -> dict[str, Any]:
    """Widths; those of the wrapper are the next powers of two of bytes."""
    wide = {
        name: 8 << (size - 1).bit_length() for name, size in (("I", stream.input_bytes), ("O", stream.output_bytes))
    }
    return {
        "INPUT_BYTES": stream.input_bytes,
        "OUTPUT_BYTES": stream.output_bytes,
        "INPUT_BITS": 8 * stream.input_bytes,
        "OUTPUT_BITS": 8 * stream.output_bytes,
        "AXIS_INPUT_BITS": wide["I"],
        "AXIS_OUTPUT_BITS": wide["O"],
        "AXON_BITS": stream.axon_bits,
        "VALUE_BITS": stream.value_bits,
        "MARK_BIT": stream.mark_bit,
        "FLAG_BIT": 8 * stream.output_bytes - 1,
        "AXON_RANGE": _bits(0, stream.axon_bits),
        "VALUE_RANGE": _bits(stream.axon_bits, stream.value_bits),
        "LARGEST": (1 << stream.value_bits) - 1,
        "TIMESTEPS": core.network.timesteps,
        "INPUTS": core.network.inputs,
        "LAST_AXON": core.network.inputs - 1,
        "CLASSES": stream.classes,
    }


def _bits(low: int, width: int) -> str:
    return f"{low} to {low + width - 1}" if width > 1 else f"{low}"


def _of_memories(manifest: Mapping[str, Any], core: CoreSpec) -> dict[str, Any]:
    """The memories that hold the network, with their numbers in a load image; then those that are written."""
    loadable = "load" in manifest
    stored = manifest["load"]["memories"] if loadable else manifest["images"]
    rows = []
    for number, (name, memory) in enumerate(stored.items()):
        where = f"number {number} of the load image" if loadable else f"`{name}.hex`"
        rows.append(f"| {name} | {memory['words']} | {memory['width']} | {where} |")
    for index, layer in enumerate(core.layers):
        for name, words, width in core.states(index):
            row = f"| {name} | {words} | {width} | written, {layer.lanes} of them |"
            rows += [row] if row not in rows else []
    note = (
        "What is loaded and what is written is in `*_ram.v`."
        if loadable
        else ("What holds the network is in `*_rom*.v`, what is written in `*_ram.v`.")
    )
    return {"MEMORY_ROWS": "\n".join(rows), "MEMORY_NOTE": note}
