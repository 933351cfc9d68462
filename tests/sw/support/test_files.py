import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spikewright.contract.errors import InputError
from spikewright.support.files import (
    atomic_dir,
    atomic_path,
    decode_text,
    read_json,
    sha256,
    write_json,
    write_manifest,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_path_appears_only_at_the_end(tmp_path: Path) -> None:
    final = tmp_path / "a" / "b" / "out.bin"
    with atomic_path(final) as temporary:
        assert temporary.parent == final.parent
        assert temporary.suffix == ".bin"
        temporary.write_bytes(b"new")
        assert not final.exists()
    assert final.read_bytes() == b"new"
    assert names(final.parent) == ["out.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_atomic_path_keeps_the_old_file_on_error(tmp_path: Path, error: type[BaseException]) -> None:
    final = tmp_path / "out.bin"
    final.write_bytes(b"old")
    with pytest.raises(error), atomic_path(final) as temporary:
        temporary.write_bytes(b"new")
        raise error
    assert final.read_bytes() == b"old"
    assert names(tmp_path) == ["out.bin"]


def test_atomic_path_removes_parents_it_created_on_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a" / "b" / "out.bin"):
        raise RuntimeError
    assert names(tmp_path) == []


def test_atomic_path_refuses_folders_and_devices(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught, atomic_path(tmp_path):
        pass
    assert str(caught.value) == f"output {tmp_path} must be a file, not a folder"
    with pytest.raises(InputError) as caught, atomic_path("/dev/null"):
        pass
    assert str(caught.value) == "output /dev/null must be a file, not a device"


def test_atomic_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    final = tmp_path / "file" / "out.bin"
    with pytest.raises(InputError) as caught, atomic_path(final):
        pass
    assert str(caught.value) == f"cannot write {final}: Not a directory"


def test_atomic_dir_appears_only_at_the_end(tmp_path: Path) -> None:
    final = tmp_path / "a" / "build"
    with atomic_dir(final) as temporary:
        (temporary / "x").write_text("1")
        assert not final.exists()
    assert names(final) == ["x"]
    assert names(final.parent) == ["build"]


def test_atomic_dir_replaces_empty_and_own_folders(tmp_path: Path) -> None:
    final = tmp_path / "build"
    final.mkdir()
    for content in ("1", "2"):
        with atomic_dir(final) as temporary:
            write_manifest(temporary, {"kind": "build"})
            (temporary / f"file{content}").write_text(content)
        assert names(final) == [f"file{content}", "manifest.json"]
    assert names(tmp_path) == ["build"]


def test_atomic_dir_keeps_the_old_folder_on_error(tmp_path: Path) -> None:
    final = tmp_path / "build"
    with atomic_dir(final) as temporary:
        write_manifest(temporary, {})
    with pytest.raises(KeyboardInterrupt), atomic_dir(final) as temporary:
        (temporary / "x").write_text("1")
        raise KeyboardInterrupt
    assert names(final) == ["manifest.json"]
    assert names(tmp_path) == ["build"]


@pytest.mark.parametrize("content", [None, "{", '{"name": "web app"}', "[]"])
def test_atomic_dir_leaves_foreign_folders_alone(tmp_path: Path, content: str | None) -> None:
    final = tmp_path / "thesis"
    final.mkdir()
    (final / "chapter").write_text("precious")
    if content is not None:
        (final / "manifest.json").write_text(content)
    with pytest.raises(InputError) as caught, atomic_dir(final):
        pass
    message = f"output {final} must be a new or empty folder or one made by spikewright, not {final}"
    assert str(caught.value) == message
    assert (final / "chapter").read_text() == "precious"
    assert names(tmp_path) == ["thesis"]


def test_two_at_once_each_make_a_whole_folder(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def make(number: int) -> None:
        try:
            for _ in range(100):
                with atomic_dir(tmp_path / "out") as folder:
                    write_manifest(folder, {"number": number})
                    (folder / f"{number}").touch()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert names(tmp_path) == ["out"]
    number = read_json(tmp_path / "out" / "manifest.json", "manifest")["number"]
    assert names(tmp_path / "out") == [str(number), "manifest.json"]


def test_atomic_dir_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError) as caught, atomic_dir(tmp_path / "file"):
        pass
    assert str(caught.value) == f"output {tmp_path / 'file'} must be a folder, not a file"


KILLED = """
import sys, time
from pathlib import Path
from spikewright.support.files import atomic_dir, atomic_path
folder = Path(sys.argv[1])
with atomic_dir(folder / "build") as build, atomic_path(folder / "out.bin") as out:
    (build / "x").write_text("half")
    out.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_nothing_at_the_final_name(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "build").exists()
    assert not (tmp_path / "out.bin").exists()


def test_json_round_trip(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, True], "ö": {"b": "x"}}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json", "manifest") == value


def test_json_takes_names_of_files_that_are_no_text(tmp_path: Path) -> None:
    value = {"path": "f\udcfcnf ü"}  # as Python gives a name in Latin-1
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json", "manifest") == value


def test_write_json_refuses_nan_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a": 1', "must be JSON, not a file with: Expecting ',' delimiter: line 1 column 8 (char 7)"),
        (b'{"a": 1, "a": 2}', "must be JSON, not a file with: key 'a' twice"),
        (b'{"a": NaN}', "must be JSON, not a file with: number NaN"),
        (b'{"a": -Infinity}', "must be JSON, not a file with: number -Infinity"),
        (b'{"a": 1e999}', "must be JSON, not a file with: number 1e999"),
        (b"[" * 200_000, "must be JSON, not a file with: nested too deeply"),
        (b"[1]", "must be a JSON object, not list"),
    ],
)
def test_read_json_refuses(tmp_path: Path, raw: bytes, reason: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_json(path, "manifest")
    assert str(caught.value) == f"manifest {path} {reason}"


def test_read_json_refuses_what_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xff\x00")
    with pytest.raises(InputError, match="must be JSON, not a file with: byte 0xff at 0, which is no UTF-8$"):
        read_json(tmp_path / "x.json", "manifest")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "a.json", "manifest") == {"a": 1}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_named_by_its_byte_order_mark(encoding: str) -> None:
    name = encoding[:6].upper()
    with pytest.raises(ValueError, match=rf"^text in {name}, by its byte order mark, instead of UTF-8$"):
        decode_text("\ufeff{}".encode(encoding))


def test_read_json_refuses_large_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(InputError) as caught:
        read_json(path, "manifest")
    assert str(caught.value) == f"cannot read manifest {path}: No such file or directory"
    path.write_text(json.dumps({"a": "x" * 100}))
    with pytest.raises(InputError) as caught:
        read_json(path, "manifest", limit=50)
    assert str(caught.value) == f"manifest {path} must be at most 50 bytes, not {path.stat().st_size}"


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(InputError) as caught:
        sha256(tmp_path / "y")
    assert str(caught.value) == f"cannot read {tmp_path / 'y'}: No such file or directory"
