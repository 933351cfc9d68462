import json

import pytest

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import read_checkpoint, save_checkpoint
from spikewright.report.runs import find, read
from tiny_training import write_run


def test_runs_are_found_at_any_depth(tmp_path):
    write_run(tmp_path / "b" / "two")
    write_run(tmp_path / "one")
    write_run(tmp_path / ".hidden")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "manifest.json").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert find([tmp_path]) == [("b/two", tmp_path / "b" / "two"), ("one", tmp_path / "one")]
    assert find([tmp_path / "one"]) == [("one", tmp_path / "one")]
    both = find([tmp_path / "one", tmp_path / "b", tmp_path / "one"])
    assert both == [("b/two", tmp_path / "b" / "two"), ("one", tmp_path / "one")]


def test_folders_without_a_run(tmp_path):
    with pytest.raises(InputError) as error:
        find([tmp_path])
    message = f"runs must be folders by `spikewright train` or `spikewright sweep`: {tmp_path} holds none"
    assert str(error.value) == message
    with pytest.raises(InputError) as error:
        find([tmp_path / "none"])
    assert str(error.value) == f"runs must be a folder, not {tmp_path / 'none'}"


def test_a_finished_run_is_that_of_its_checkpoint(tmp_path):
    run = read("a", write_run(tmp_path / "a", epochs=3, accuracy=0.75))
    assert (run.name, run.status, run.message, len(run.epochs)) == ("a", "finished", "", 3)
    assert run.best == run.epochs[1]
    assert run.best.validation_accuracy == 0.75
    assert run.best.rates == (0.25, 0.125)
    assert run.weights == 8 * 10 + 8 * 16 + 3 * 8
    assert run.network is not None


def test_an_unfinished_run_has_no_best_epoch(tmp_path):
    run = read("a", write_run(tmp_path / "a", epochs=3, logged=2))
    assert (run.status, run.message, run.best, run.network) == ("unfinished", "2 of 3 epochs", None, None)
    assert read("b", write_run(tmp_path / "b", logged=0)).epochs == ()


def test_a_line_that_is_being_written_is_no_line(tmp_path):
    folder = write_run(tmp_path / "a", epochs=3, logged=2)
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"epoch": 3, "los')
    assert len(read("a", folder).epochs) == 2


def test_a_log_with_a_byte_order_mark_is_read(tmp_path):
    log = write_run(tmp_path / "a") / "log.jsonl"
    before = read("a", tmp_path / "a").epochs
    log.write_bytes(b"\xef\xbb\xbf" + log.read_bytes())
    assert read("a", tmp_path / "a").epochs == before


def test_a_run_that_lost_its_checkpoint_is_unfinished(tmp_path):
    folder = write_run(tmp_path / "a")
    (folder / "checkpoint.safetensors").unlink()
    assert read("a", folder).status == "unfinished"


def test_a_diverged_run_says_why(tmp_path):
    run = read("a", write_run(tmp_path / "a", epochs=3, logged=1, diverged="the loss is nan"))
    assert (run.status, run.message) == ("diverged", "the loss is nan")
    assert read("b", write_run(tmp_path / "b", diverged="earlier")).status == "finished"


MISSING = object()
NUMBER = "a number of at least 0"
SHARE = "a number from 0 to 1"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epoch", 7, "epoch must be 2, not 7"),
        ("epoch", "2", f"epoch must be {NUMBER}, not '2'"),
        ("loss", MISSING, f"loss must be {NUMBER}, not left out"),
        ("loss", True, f"loss must be {NUMBER}, not True"),
        ("validation_loss", float("nan"), f"validation_loss must be {NUMBER}, not nan"),
        ("validation_loss", float("inf"), f"validation_loss must be {NUMBER}, not inf"),
        ("loss", 10**400, f"loss must be {NUMBER}, not 1{'0' * 59}"),
        ("lam", -1, f"lam must be {NUMBER}, not -1"),
        ("accuracy", 1.5, f"accuracy must be {SHARE}, not 1.5"),
        ("validation_accuracy", [], f"validation_accuracy must be {NUMBER}, not []"),
        ("sparsity", -0.1, f"sparsity must be {NUMBER}, not -0.1"),
        ("rates", [0.1], "rates must be 2 numbers from 0 to 1, not [0.1]"),
        ("rates", [0.1, 2], "rates must be 2 numbers from 0 to 1, not [0.1, 2]"),
        ("rates", MISSING, "rates must be 2 numbers from 0 to 1, not left out"),
    ],
)
def test_a_malformed_log_is_refused_by_line_and_field(tmp_path, field, value, message):
    folder = write_run(tmp_path / "a", epochs=3)
    log = folder / "log.jsonl"
    lines = log.read_text().splitlines()
    entry = json.loads(lines[1])
    if value is MISSING:
        del entry[field]
    else:
        entry[field] = value
    log.write_text("\n".join([lines[0], json.dumps(entry), lines[2], ""]))
    with pytest.raises(InputError) as error:
        read("a", folder)
    assert str(error.value) == f"{log}, line 2: {message}"


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff", b"[" * 100_000, b""])
def test_a_line_that_is_no_object_is_refused(tmp_path, line):
    folder = write_run(tmp_path / "a", epochs=3, logged=1)
    with (folder / "log.jsonl").open("ab") as log:
        log.write(line + b"\n")
    with pytest.raises(InputError) as error:
        read("a", folder)
    kind = "JSON object" if line == b"[1]" else "JSON"
    assert str(error.value) == (
        f"{folder / 'log.jsonl'}, line 2: must be {'a ' if 'object' in kind else ''}{kind}, not {line[:40]!r}"
    )


def test_more_lines_than_epochs_are_refused(tmp_path):
    folder = write_run(tmp_path / "a", epochs=2)
    log = folder / "log.jsonl"
    log.write_text(log.read_text() * 2)
    with pytest.raises(InputError) as error:
        read("a", folder)
    assert str(error.value) == f"{log} must have at most 2 lines, one per epoch, not 4"


def test_a_damaged_configuration_is_named(tmp_path):
    folder = write_run(tmp_path / "a")
    path = folder / "config.json"
    for text, message in (
        ("{}", f"{path}: network must be given, not left out"),
        ("[]", f"configuration {path} must be a JSON object, not list"),
    ):
        path.write_text(text)
        with pytest.raises(InputError) as error:
            read("a", folder)
        assert str(error.value) == message


def test_a_damaged_record_of_divergence_is_named(tmp_path):
    folder = write_run(tmp_path / "a", logged=1, diverged="x")
    (folder / "diverged.json").write_text('{"message": 1}')
    with pytest.raises(InputError) as error:
        read("a", folder)
    assert str(error.value) == f"{folder / 'diverged.json'}: message must be text, not 1"


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    folder = write_run(tmp_path / "a", epochs=3)
    other = write_run(tmp_path / "b", epochs=3, lam=0.5)
    path = folder / "checkpoint.safetensors"
    own = path.read_bytes()
    path.write_bytes((other / "checkpoint.safetensors").read_bytes())
    with pytest.raises(InputError) as error:
        read("a", folder)
    message = f"{path}: metadata 'config' must be that of config.json, but training.lam differs"
    assert str(error.value) == message
    path.write_bytes(own)
    network, config, info = read_checkpoint(path)
    for changed, message in (
        ({"epoch": 9}, "epoch of metadata 'info' must be 1 .. 3, not 9"),
        ({"epoch": None}, "epoch of metadata 'info' must be 1 .. 3, not None"),
        (
            {"validation_accuracy": 0.99},
            "validation_accuracy of metadata 'info' must be 0.8, as in line 2 of log.jsonl, not 0.99",
        ),
    ):
        save_checkpoint(path, network, config, info | changed)
        with pytest.raises(InputError) as error:
            read("a", folder)
        assert str(error.value) == f"{path}: {message}"
