import contextlib
import csv
import hashlib
import io
import json
import re

import pytest

from spikewright.cli import main as cli
from spikewright.learn.train import train
from tiny_training import write_all, write_run


def call(*argv):
    """Exit status, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(list(map(str, argv)))
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        write_run(folder / f"adam{seed}", optimizer="adam", seed=seed, accuracy=0.9)
        write_run(folder / f"low{seed}", lam=0.1, seed=seed, accuracy=0.8 + 0.1 * seed, network_seed=seed)
        write_run(folder / f"high{seed}", lam=1, seed=seed, accuracy=0.7)
    write_run(folder / "target", target_sparsity=0.9, accuracy=0.6)
    write_run(folder / "broken", lam=10, logged=1, diverged="the loss is nan")
    return folder


@pytest.fixture(scope="module")
def made(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    return out, call("report", runs, "--out", out, "--title", "Tiny words", "--json")


FIGURES = [
    "loss", "weights", "loss_target", "weights_target", "accuracy_lambda", "accuracy_sparsity", "accuracy_operations",
    "accuracy_bits",
]  # fmt: skip


def test_every_figure_comes_as_svg_png_and_csv(made):
    out, (status, text, _) = made
    result = json.loads(text)
    assert (status, result["figures"]) == (0, FIGURES)
    assert result["runs"] == {"finished": 7, "diverged": 1, "unfinished": 0}
    expected = {f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png", "csv")}
    tables = {"comparison.csv", "groups.csv", "runs.csv"}
    assert {path.name for path in out.iterdir()} == expected | tables | {"index.html", "manifest.json"}
    assert result["page"] == str(out / "index.html")


def test_tables_hold_the_numbers(made):
    out, (_, text, _) = made
    with (out / "comparison.csv").open(newline="") as file:
        rows = {row["training"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["Adam, no schedule", "AdaBreg, no schedule", "AdaBreg, no schedule, target 90 %"]
    best = rows["AdaBreg, no schedule"]
    assert (best["lambda"], best["n"], best["accuracy"], best["accuracy_std"]) == ("0.1", "2", "0.85", "0.0707106781")
    assert best["candidates"] == "2"
    assert json.loads(text)["comparison"][1]["accuracy"] == pytest.approx(0.85)


def test_the_page_tells_all(made):
    text = (made[0] / "index.html").read_text()
    assert "<h1>Tiny words</h1>" in text
    assert "7 finished runs, 1 diverged. Only finished runs enter means and deviations." in text
    assert re.search(r"stayed below their target sparsity: target \([45]\d(\.\d)? %\)\.</p>", text)
    assert "<td>broken</td><td>diverged: the loss is nan</td>" in text
    assert text.count("<svg ") == len(FIGURES)
    assert "estimated from the logged mean firing rate" in text


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_runs_give_the_same_bytes_and_replace_the_report(made, runs):
    out, _ = made
    before = digests(out)
    (out / "stale.svg").write_text("")
    assert call("report", runs, "--out", out, "--title", "Tiny words")[0] == 0
    assert digests(out) == before


def test_people_get_a_table(runs, tmp_path):
    status, out, _ = call("report", runs / "low0", runs / "adam0", "--out", tmp_path / "report")
    assert status == 0
    rows = [line.split("  ", 1)[0] for line in out.splitlines()]
    assert rows == ["runs", "Adam, no schedule", "AdaBreg, no schedule", "page"]
    assert re.search(r"AdaBreg, no schedule  80\.00 %, [45]\d\.\d\d % zero, λ = 0\.1 \(1 seed\)\n", out)


def test_the_report_goes_into_the_runs_and_is_no_run(tmp_path):
    write_run(tmp_path / "a", logged=1)
    for _ in range(2):
        assert call("report", tmp_path)[0] == 0
    assert (tmp_path / "report" / "index.html").is_file()


def test_operations_and_test_accuracy_need_the_recordings(tmp_path):
    config, data = write_all(tmp_path)
    train(config, data, tmp_path / "run", {"epochs": "1"})
    status, out, _ = call("report", tmp_path / "run", "--out", tmp_path / "report", "--data", data, "--test", "--json")
    assert status == 0
    [row] = json.loads(out)["comparison"]
    assert 0 <= row["test_accuracy"] <= 1
    text = (tmp_path / "report" / "index.html").read_text()
    assert "the integer network runs on up to 256 samples" in text
    assert "10-8-8-3: validation" in text
    status, _, err = call("report", tmp_path / "run", "--test")
    assert (status, err) == (2, "spikewright: error: data must be given for test accuracies, not left out\n")


def test_a_read_out_that_integers_do_not_have_is_said(tmp_path):
    write_run(tmp_path / "runs" / "a", readout="softmax_sum")
    status, out, _ = call("report", tmp_path / "runs", "--json")
    assert (status, json.loads(out)["figures"]) == (
        0, ["loss", "weights", "accuracy_lambda", "accuracy_sparsity"],
    )  # fmt: skip
    text = (tmp_path / "runs" / "report" / "index.html").read_text()
    assert "a decides by softmax_sum, which no integer network does." in text


def test_only_unfinished_runs_are_listed_too(tmp_path):
    write_run(tmp_path / "a", logged=1)
    status, out, _ = call("report", tmp_path)
    assert (status, out.splitlines()[0]) == (0, "runs  0 finished, 1 unfinished")
    assert "<td>unfinished: 1 of 2 epochs</td>" in (tmp_path / "report" / "index.html").read_text()


def test_a_damaged_run_leaves_no_report(tmp_path):
    folder = write_run(tmp_path / "a")
    (folder / "log.jsonl").write_text('{"epoch": 1}\n')
    status, out, err = call("report", tmp_path)
    assert (status, out) == (2, "")
    message = f"{folder / 'log.jsonl'}, line 1: rates must be 2 numbers from 0 to 1, not left out"
    assert err == f"spikewright: error: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_another_folder_is_not_overwritten(runs, tmp_path):
    (tmp_path / "mine.txt").write_text("")
    status, _, err = call("report", runs, "--out", tmp_path)
    assert status == 2
    assert err.startswith(f"spikewright: error: output {tmp_path} must be a new or empty folder")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
