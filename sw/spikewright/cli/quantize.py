"""`spikewright quantize`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_command,
    add_data,
    add_split,
    integer,
    percent,
    thousands,
)
from spikewright.contract.defaults import WEIGHT_BITS

_REPORTED = (
    "weight_bits",
    "value_bits",
    "delay_step",
    "samples",
    "accuracy",
    "rounded_to_zero",
    "rates_of_samples",
    "calibrated_on",
    "fine_tuning",
)
"""What the report has of what is noted in the file."""


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "quantize",
        run,
        summary="integer network of a checkpoint",
        details="Turns a float checkpoint into the integer network that the hardware computes, and reports the\n"
        "accuracy before and after, on DIR or else on the small sample that is shipped. With few bits,\n"
        "--calibrate 512 loses much less: it rounds the weights of a neuron together, such that its\n"
        "membrane changes least on recordings. --fine-tune wins back what rounding loses: it trains on\n"
        "through the rounding. With either, zeros stay zero.",
        example="spikewright quantize runs/first/checkpoint.safetensors -o model.safetensors",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="checkpoint by `spikewright train`, or a shipped one"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MODEL", help="file to write")
    parser.add_argument(
        "--weight-bits", type=integer(2, 16), default=WEIGHT_BITS, metavar="N", help="2 .. 16 (default: %(default)s)"
    )
    parser.add_argument(
        "--value-bits",
        type=integer(1, 16),
        metavar="N",
        help="width of the counts or pixels of input events, 1 .. 16 (default: the configuration's, such as 5)",
    )
    parser.add_argument(
        "--delay-step",
        type=integer(1, 1000),
        default=1,
        metavar="N",
        help="let delayed spikes arrive after multiples of N steps: with fewer different delays, a core of many\n"
        "lanes takes fewer cycles (default: %(default)s)",
    )
    parser.add_argument(
        "--calibrate",
        type=integer(0),
        default=0,
        metavar="N",
        help="round the weights for N recordings of the training part of DIR; 0 rounds each weight to the nearest\n"
        "integer (default: %(default)s)",
    )
    parser.add_argument(
        "--fine-tune",
        type=integer(0, 1000),
        default=0,
        metavar="EPOCHS",
        help="epochs of quantization-aware training on the training part of DIR (default: %(default)s)",
    )
    add_data(parser, default="the shipped sample")
    add_split(parser)


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.evaluate import evaluate
    from spikewright.api.quantize import quantize
    from spikewright.api.source import opened
    from spikewright.contract.errors import InputError
    from spikewright.integer.file import save_model
    from spikewright.learn.checkpoint import read_checkpoint
    from spikewright.nir.file import is_foreign
    from spikewright.support.shipped import SAMPLE, is_sample

    for option, wanted in (("--calibrate", args.calibrate), ("--fine-tune", args.fine_tune)):
        if wanted and args.data is None:
            raise InputError(f"--data must be given with {option}, not left out")
    if args.calibrate and args.fine_tune:
        raise InputError("--calibrate must be left out with --fine-tune, which begins with the nearest integers")
    if args.data is None and is_foreign(args.checkpoint):
        raise InputError("--data must be a file *.npz for a network of another library, not left out")
    network = read_checkpoint(args.checkpoint)[0]
    samples = opened(args.checkpoint).samples(args.data, args.split)
    model = quantize(
        args.checkpoint,
        weight_bits=args.weight_bits,
        value_bits=args.value_bits,
        delay_step=args.delay_step,
        calibrate=args.calibrate,
        fine_tune=args.fine_tune,
        data=args.data,
    )
    before = evaluate(network, samples)
    try:
        after = evaluate(model, samples)
    except InputError as error:
        # Such as recordings with larger counts than the checkpoint's value_bits allow.
        raise InputError(f"{args.checkpoint}: {error}") from None
    info = {
        **model.info,
        "samples": len(samples),
        "accuracy": {"float": before.accuracy, "quantized": after.accuracy},
    }
    save_model(args.out, model.spec, info)
    report = {
        "model": str(args.out),
        "data": SAMPLE if args.data is None else str(args.data),
        "sparsity": after.sparsity,
        "synapses": sum(layer.synapses for layer in model.spec.layers),
        **{key: info[key] for key in _REPORTED},
    }
    rated = info["rates_of_samples"]
    part = "the shipped sample" if args.data is None or is_sample(args.data) else args.split
    rows = [
        ("accuracy, float", percent(before.accuracy)),
        ("accuracy, quantized", percent(after.accuracy)),
        ("samples", f"{len(samples)} ({part})"),
        ("weights", f"{args.weight_bits} bits, {percent(after.sparsity)} zero"),
        ("synapses", f"{thousands(report['synapses'])} ({report['rounded_to_zero']} weights rounded to zero)"),
        (
            "rates of axons",
            f"of {rated} training samples" if rated else "not measured: --data DIR must have a training part",
        ),
        ("model", str(args.out)),
    ]
    return Outcome(report, rows)
