"""`spikewright generate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, thousands
from spikewright.contract import defaults
from spikewright.contract.devices import TARGETS
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.names import CORE_NAME, LANES, LAYERS, LAYERS_HELP, TRACE, unusual
from spikewright.support.progress import step


def _lanes(text: str) -> int:
    if text not in map(str, LANES):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(map(str, LANES))}, not {text}")
    return int(text)


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be 0 .. 100, not {text}")
    return value


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "generate",
        run,
        summary="Verilog of an integer network",
        details="Writes a folder with the core in plain Verilog, its memory images and a manifest. Zero weights\n"
        "are not stored. More lanes do more synapses at once. With --weights loadable, the core gets its\n"
        "weights at run time, and one bitstream is for all networks of the same shape that fit;\n"
        "`spikewright generate OTHER --image-for build -o other.bin` then writes the load image of another.",
        example="spikewright generate model.safetensors -o build --lanes 8",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="integer network by `spikewright quantize`")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="folder, or image, to make")
    parser.add_argument("--lanes", type=_lanes, metavar="N", help=f"1, 2, 4, ... or 64 (default: {defaults.LANES})")
    parser.add_argument(
        "--layers",
        choices=LAYERS,
        default=LAYERS[0],
        help=f"{'; '.join(f'{name}: {text}' for name, text in LAYERS_HELP.items())} (default: %(default)s)",
    )
    parser.add_argument(
        "--encoding",
        choices=("auto", *encoding_names()),
        help="how memories tell the neuron of a synapse: its row within the lane, the distance from the synapse "
        "before, or a bit for every row; auto: for each layer what takes the least (default: auto)",
    )
    parser.add_argument(
        "--target",
        choices=TARGETS,
        help="family of devices for whose block RAM encodings and memories are chosen; the Verilog is for any "
        "(default: ecp5)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="of the core, with which the names of its modules begin: cores of different names can be in one design "
        f"(default: {CORE_NAME})",
    )
    parser.add_argument(
        "--init",
        action="store_true",
        help="write the initial values of registers; without them, a core must be reset before it is used",
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="give the core its trace ports (membranes and spikes); without them, simulators add them with "
        f"-D{TRACE}, as `simulate` does",
    )
    parser.add_argument(
        "--without-idle",
        action="store_true",
        help="leave out neurons without effect on the scores, and those that can never fire, and tell how many",
    )
    parser.add_argument(
        "--weights",
        choices=("fixed", "loadable"),
        help="in the memories from the start, or loaded at run time (default: fixed)",
    )
    parser.add_argument(
        "--margin",
        type=_margin,
        metavar="F",
        help=f"loadable: capacity beyond what MODEL needs, as a share of that (default: {defaults.MARGIN})",
    )
    parser.add_argument(
        "--room-for",
        type=Path,
        action="append",
        metavar="MODEL",
        help="loadable: another network that must fit; may be repeated",
    )
    parser.add_argument(
        "--image-for",
        type=Path,
        metavar="BUILD_DIR",
        help="write only the load image of MODEL for a core by `--weights loadable`",
    )


def _check_options(args: argparse.Namespace) -> None:
    """Options that have no meaning are refused rather than ignored."""
    building = {
        "lanes": args.lanes,
        "layers": unusual(args.layers) or None,
        "encoding": args.encoding,
        "target": args.target,
        "without-idle": args.without_idle or None,
        "name": args.name,
        "init": args.init or None,
        "trace": args.trace or None,
    }
    building["weights"] = args.weights
    for_loadable = {"margin": args.margin, "room-for": args.room_for}
    if args.image_for is not None:
        for name, value in {**building, **for_loadable}.items():
            if value is not None:
                raise InputError(f"--{name} must be left out with --image-for: the core is made already")
    elif args.weights != "loadable":
        for name, value in for_loadable.items():
            if value is not None:
                raise InputError(f"--{name} must be left out without --weights loadable")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.generate import generate
    from spikewright.build.load_image import write_image

    _check_options(args)
    if args.image_for is not None:
        with step("Writing the load image"):
            written = write_image(args.model, args.image_for, args.out)
        return Outcome(
            written,
            [
                ("load image", written["image"]),
                ("bytes", thousands(written["bytes"])),
                ("synapses stored", thousands(written["synapses"])),
                ("for the core", written["fingerprint"]),
            ],
        )
    build = generate(
        args.model,
        args.out,
        lanes=args.lanes or defaults.LANES,
        layers=args.layers,
        encoding=args.encoding or "auto",
        target=args.target,
        without_idle=args.without_idle,
        weights=args.weights or "fixed",
        margin=args.margin,
        room_for=args.room_for or (),
        name=CORE_NAME if args.name is None else args.name,
        init=args.init,
        trace=args.trace,
    )
    return Outcome(build.report, build.facts())
