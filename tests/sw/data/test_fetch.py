import contextlib
import gzip
import hashlib
import io
import json
import re
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from spikewright.cli import main as cli
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.data import fetch as module
from spikewright.data import mnist
from spikewright.data.fetch import SOURCES, Published, Source, fetch
from spikewright.support.locks import locked


class Server:
    """Serves files from memory, as badly as asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = True  # whether it can continue a file
        self.cut: list[int] = []  # bytes after which the next answers break off
        self.fail: list[int] = []  # statuses of the next answers
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data/"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        content = self.files.get(request.path.removeprefix("/data/"))
        if self.fail:
            return request.send_error(self.fail.pop(0))
        if content is None:
            return request.send_error(404)
        start = 0
        if wanted and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(content)}")
                request.send_header("Content-Length", "0")
                return request.end_headers()
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start:][: self.cut.pop(0) if self.cut else None])
        return None


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.001)
    server = Server()
    yield server
    server.http.shutdown()
    server.thread.join()
    server.http.server_close()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


CONTENT = np.random.default_rng(0).bytes(5000)
PLAIN = gzip.compress(b"0123456789" * 100, mtime=0)


@pytest.fixture
def toy(server, monkeypatch):
    """A data set of an archive and a plain file."""
    archive = zipped("toy.h5", CONTENT)
    server.files = {"toy.h5.zip": archive, "plain.gz": PLAIN}
    source = Source(
        "http://nowhere.invalid/",
        (Published("toy.h5.zip", md5(archive), "toy.h5"), Published("plain.gz", md5(PLAIN))),
    )
    monkeypatch.setitem(SOURCES, "toy", source)
    return archive


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetches_verifies_and_unpacks(server, toy, tmp_path):
    out = tmp_path / "new" / "toy"
    report = fetch("toy", out, server.url.removesuffix("/"))
    assert names(out) == ["plain.gz", "toy.h5"]
    assert (out / "toy.h5").read_bytes() == CONTENT
    assert (out / "plain.gz").read_bytes() == PLAIN
    assert report == {
        "data_set": "toy",
        "url": server.url,
        "folder": str(out),
        "files": {
            "toy.h5": {"bytes": 5000, "status": "fetched"},
            "plain.gz": {"bytes": len(PLAIN), "status": "fetched"},
        },
    }
    assert server.asked == [("/data/toy.h5.zip", None), ("/data/plain.gz", None)]


def test_files_that_are_there_are_kept(server, toy, tmp_path):
    fetch("toy", tmp_path, server.url)
    (tmp_path / "plain.gz").unlink()
    lines: list[str] = []
    report = fetch("toy", tmp_path, server.url, progress=lines.append)
    assert [file["status"] for file in report["files"].values()] == ["kept", "fetched"]
    assert len(server.asked) == 3
    assert lines[0] == f"{tmp_path / 'toy.h5'}: kept, 5,000 bytes"


def test_two_downloads_never_share_a_folder(server, toy, tmp_path):
    with locked(tmp_path, "downloads"):
        with pytest.raises(InputError) as error:
            fetch("toy", tmp_path, server.url)
        assert names(tmp_path) == [".lock"]
    assert str(error.value) == f"{tmp_path} must not be in use, but another process downloads there"
    fetch("toy", tmp_path, server.url)
    with locked(tmp_path, "downloads"):  # nothing is written: nobody need be kept out
        assert fetch("toy", tmp_path, server.url)["files"]["toy.h5"]["status"] == "kept"


def test_continues_within_a_call(server, toy, tmp_path):
    server.cut = [1000, 500]
    fetch("toy", tmp_path, server.url)
    assert (tmp_path / "toy.h5").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000-", "bytes=1500-", None]


def test_continues_in_a_later_call(server, toy, tmp_path):
    server.cut = [1000, 0, 0, 0]
    with pytest.raises(InputError) as error:
        fetch("toy", tmp_path, server.url)
    assert str(error.value) == (
        f"{server.url}toy.h5.zip: download broke off after 1000 bytes (1000 of {len(toy)} bytes); "
        "the same command continues it"
    )
    assert names(tmp_path) == ["toy.h5.zip.part"]
    assert (tmp_path / "toy.h5.zip.part").read_bytes() == toy[:1000]
    server.asked = []
    report = fetch("toy", tmp_path, server.url)
    assert report["files"]["toy.h5"]["status"] == "resumed"
    assert (tmp_path / "toy.h5").read_bytes() == CONTENT
    assert server.asked[0] == ("/data/toy.h5.zip", "bytes=1000-")


def test_a_server_that_cannot_continue_sends_all(server, toy, tmp_path):
    server.ranges = False
    server.cut = [1000]
    fetch("toy", tmp_path, server.url)
    assert (tmp_path / "toy.h5").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000-", None]


def test_a_complete_part_is_not_asked_for_again(server, toy, tmp_path):
    (tmp_path / "toy.h5.zip.part").write_bytes(toy)
    fetch("toy", tmp_path, server.url)
    assert (tmp_path / "toy.h5").read_bytes() == CONTENT


def test_a_part_that_is_too_long_starts_afresh(server, toy, tmp_path):
    (tmp_path / "toy.h5.zip.part").write_bytes(toy + b"more")
    fetch("toy", tmp_path, server.url)
    assert (tmp_path / "toy.h5").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked][:2] == [f"bytes={len(toy) + 4}-", None]


@pytest.mark.parametrize("where", ["server", "part"])
def test_a_wrong_checksum_leaves_nothing(server, toy, tmp_path, where):
    wrong = bytes([toy[0] ^ 1]) + toy[1:]
    if where == "server":
        server.files["toy.h5.zip"] = wrong
    else:
        (tmp_path / "toy.h5.zip.part").write_bytes(wrong[:100])
    with pytest.raises(CheckFailed) as error:
        fetch("toy", tmp_path, server.url)
    assert str(error.value) == (
        f"{server.url}toy.h5.zip must have the MD5 sum {md5(toy)}, not {md5(wrong)}: it is not the published file"
    )
    assert names(tmp_path) == []
    server.files["toy.h5.zip"] = toy
    fetch("toy", tmp_path, server.url)
    assert (tmp_path / "toy.h5").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server, toy, tmp_path):
    server.fail = [503, 429]
    fetch("toy", tmp_path, server.url)
    assert names(tmp_path) == ["plain.gz", "toy.h5"]


def test_servers_that_do_not_help(server, toy, tmp_path):
    server.fail = [500] * 4
    with pytest.raises(InputError) as error:
        fetch("toy", tmp_path, server.url)
    assert str(error.value) == (
        f"{server.url}toy.h5.zip: download broke off after 0 bytes (HTTP 500 Internal Server Error); "
        "the same command continues it"
    )
    del server.files["plain.gz"]
    with pytest.raises(InputError) as error:
        fetch("toy", tmp_path, server.url)
    assert str(error.value) == (f"{server.url}plain.gz must be a file to download, not an error: HTTP 404 Not Found")
    assert names(tmp_path) == ["toy.h5"]  # what was complete stays


def test_nobody_answers(toy, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(InputError) as error:
            fetch("toy", tmp_path, url)
    assert re.fullmatch(
        rf"{re.escape(url)}toy\.h5\.zip: download broke off after 0 bytes \(.*refused\); "
        "the same command continues it",
        str(error.value),
    )


def test_archives_of_another_kind(server, toy, tmp_path, monkeypatch):
    other = zipped("other.h5", CONTENT)
    server.files["toy.h5.zip"] = other
    monkeypatch.setitem(SOURCES, "toy", Source("", (Published("toy.h5.zip", md5(other), "toy.h5"),)))
    with pytest.raises(InputError) as error:
        fetch("toy", tmp_path, server.url)
    assert str(error.value).startswith(f"{tmp_path / 'toy.h5.zip.part'} must be a ZIP archive with toy.h5, not a ")
    assert names(tmp_path) == ["toy.h5.zip.part"]


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("cifar", None, "data set must be one of shd, ssc, mnist, not cifar"),
        ("shd", "ftp://host/", "url must start with http://, https:// or file://, not ftp://host/"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path, name, url, message):
    with pytest.raises(InputError) as error:
        fetch(name, tmp_path, url)
    assert str(error.value) == message
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as error:
        fetch("shd", tmp_path / "file")
    assert str(error.value) == f"output {tmp_path / 'file'} must be a folder, not a file"


def test_a_folder_can_take_the_server_s_place(toy, tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "toy.h5.zip").write_bytes(toy)
    with pytest.raises(InputError) as error:
        fetch("toy", tmp_path / "out", folder.as_uri())
    assert str(error.value) == f"{folder.as_uri()}/plain.gz must be a file to download, not missing"
    assert names(tmp_path / "out") == ["toy.h5"]


def test_the_published_files_are_those_the_loaders_read():
    assert [file.final for file in SOURCES["shd"].files] == ["shd_train.h5", "shd_test.h5"]
    assert [file.final for file in SOURCES["ssc"].files] == ["ssc_train.h5", "ssc_valid.h5", "ssc_test.h5"]
    assert [file.final for file in SOURCES["mnist"].files] == [*mnist.FILES["train"], *mnist.FILES["test"]]
    for source in SOURCES.values():
        assert source.url.startswith("https://")
        assert all(re.fullmatch("[0-9a-f]{32}", file.md5) for file in source.files)


def test_command(server, toy, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "mnist", SOURCES["toy"])
    for as_json in (True, False):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            argv = ["data", "fetch", "mnist", "--out", str(tmp_path), "--url", server.url]
            assert cli.main(argv + ["--json"] * as_json) == 0
        if as_json:
            assert json.loads(out.getvalue())["files"]["toy.h5"] == {"bytes": 5000, "status": "fetched"}
        else:
            assert out.getvalue().splitlines()[0].split() == [str(tmp_path / "toy.h5"), "kept,", "5,000", "bytes"]
