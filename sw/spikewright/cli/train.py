"""`spikewright train`."""

from __future__ import annotations

import argparse

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, add_settings, add_training


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "train",
        run,
        summary="train a sparse network",
        details="Trains a spiking network with learned delays by linearized Bregman iterations (AdaBreg), which\n"
        "start from few weights and add those that are needed. CONFIG is a TOML file or the name of a\n"
        "shipped configuration, or a checkpoint, whose network is trained on. RUN_DIR gets the checkpoint;\n"
        "the same command continues a training that was interrupted, and with more epochs one that has ended.",
        example="spikewright train shd --data digits --out runs/first --set epochs=20",
        resumable=True,
    )
    add_training(parser, "RUN_DIR", help="folder of this training")
    add_settings(parser, help="change a setting of CONFIG; may be repeated")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "cuda-graph", "auto"),
        default="auto",
        help="auto takes a GPU where there is one; torchrun --nproc-per-node N -m spikewright train ... shares the "
        "work out among N (default: %(default)s)",
    )
    parser.add_argument("--restart", action="store_true", help="start afresh instead of continuing")
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write the epochs for TensorBoard too (folder tensorboard in RUN_DIR)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.train import train
    from spikewright.support.parallel import launched

    if args.restart:
        args.continues = "the same command without --restart continues it"
    trained = train(
        args.config,
        args.data,
        args.out,
        resume=not args.restart,
        device=args.device,
        tensorboard=args.tensorboard,
        settings=dict(args.settings),
    )
    return Outcome(trained.report, trained.facts(), silent=not launched().primary)
