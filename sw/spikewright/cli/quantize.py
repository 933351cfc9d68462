"""`spikewright quantize`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

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
from spikewright.support.progress import step


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
        "--weight-bits", type=integer(2, 16), default=8, metavar="N", help="2 .. 16 (default: %(default)s)"
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
    from spikewright.contract.errors import InputError
    from spikewright.integer.calibrate import calibrate, choose
    from spikewright.integer.evaluate import evaluate
    from spikewright.integer.file import save_model
    from spikewright.integer.finetune import fine_tune
    from spikewright.integer.recordings import binning_of, load, with_rates
    from spikewright.integer.reference import IntegerNetwork
    from spikewright.integer.rounding import quantize, round_delays, rounded_to_zero
    from spikewright.learn.checkpoint import read_checkpoint
    from spikewright.learn.samples import load_parts
    from spikewright.learn.validation import warn_if_few
    from spikewright.support.files import sha256
    from spikewright.support.progress import say
    from spikewright.support.shipped import SAMPLE, checkpoint_path, is_sample

    trained, config, _ = read_checkpoint(args.checkpoint)
    network = round_delays(trained, args.delay_step)
    widths = {"weight_bits": args.weight_bits, "value_bits": args.value_bits}
    validation: list[float] = []
    for option, wanted in (("--calibrate", args.calibrate), ("--fine-tune", args.fine_tune)):
        if wanted and args.data is None:
            raise InputError(f"--data must be given with {option}, not left out")
    if args.calibrate and args.fine_tune:
        raise InputError("--calibrate must be left out with --fine-tune, which begins with the nearest integers")
    calibrated = 0
    if args.calibrate or args.fine_tune:
        parts = load_parts(config, args.data)
    if args.fine_tune:
        warn_if_few(len(parts[1]))
        spec, validation = fine_tune(
            network,
            config,
            parts,
            **widths,
            epochs=args.fine_tune,
            report=lambda epoch, accuracy: say(f"epoch {epoch}: validation accuracy in integers {accuracy:.4f}"),
        )
    elif args.calibrate:
        counts = choose(parts[0].counts, args.calibrate, config.training.seed)
        calibrated = len(counts)
        with step(f"Rounding the weights for {calibrated} recordings"):
            spec = calibrate(network, counts, **widths)
    else:
        spec = quantize(network, **widths)
    binning = binning_of(config.network, config.data)
    data = load(args.data, args.split, spec, binning, model=args.checkpoint)
    spec, rated = with_rates(spec, args.data, binning, args.checkpoint)
    with step(f"Running {len(data)} samples through the float and the integer network"):
        before = evaluate(trained, data)
        after = evaluate(IntegerNetwork(spec), data)
    report: dict[str, Any] = {
        "model": str(args.out),
        "weight_bits": args.weight_bits,
        "value_bits": spec.value_bits,
        "delay_step": args.delay_step,
        "data": SAMPLE if args.data is None else str(args.data),
        "samples": len(data),
        "accuracy": {"float": before["accuracy"], "quantized": after["accuracy"]},
        "sparsity": after["sparsity"],
        "synapses": sum(layer.synapses for layer in spec.layers),
        "rounded_to_zero": sum(rounded_to_zero(network, spec)),
        "rates_of_samples": rated,
        "calibrated_on": calibrated,
        "fine_tuning": {"epochs": args.fine_tune, "validation": validation},
    }
    left_out = ("model", "data", "sparsity", "synapses", "rounded_to_zero")
    kept = {key: value for key, value in report.items() if key not in left_out}
    info = {**binning, "checkpoint_sha256": sha256(checkpoint_path(args.checkpoint)), **kept}
    save_model(args.out, spec, info)
    rows = [
        ("accuracy, float", percent(before["accuracy"])),
        ("accuracy, quantized", percent(after["accuracy"])),
        (
            "samples",
            f"{len(data)} ({'the shipped sample' if args.data is None or is_sample(args.data) else args.split})",
        ),
        ("weights", f"{args.weight_bits} bits, {percent(after['sparsity'])} zero"),
        ("synapses", f"{thousands(report['synapses'])} ({report['rounded_to_zero']} weights rounded to zero)"),
        (
            "rates of axons",
            f"of {rated} training samples" if rated else "not measured: --data DIR must have a training part",
        ),
        ("model", str(args.out)),
    ]
    return Outcome(report, rows)
