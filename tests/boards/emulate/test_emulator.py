"""The host's end of the line, end to end: the top level of a board, Verilated, behind a pseudo-terminal."""

import json
import re
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.api import listen as of_sound
from spikewright.build.folder import open_build
from spikewright.build.generate import Loadable, build
from spikewright.build.load_image import image_of
from spikewright.cli.main import main
from spikewright.contract.errors import InputError
from spikewright.contract.network import NetworkSpec
from spikewright.contract.stream import StreamFormat
from spikewright.data.cochlea import hear
from spikewright.data.shd import Rows, bin_spikes
from spikewright.integer.file import save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.support.files import read_manifest
from spikewright_boards.connect import board_of
from spikewright_boards.emulate.emulator import EmulatedPort
from spikewright_boards.link.host import encode
from spikewright_boards.link.port import PortGone, SerialPort
from spikewright_boards.link.session import NoAnswer, Session

NETWORK = random_network(3, (140, 4, 20), value_bits=6, timesteps=10, density=0.3)
OTHER = random_network(4, (140, 4, 20), value_bits=6, timesteps=10, density=0.3)
IDLE = 30_000


def expected(network: NetworkSpec, counts: Any) -> list[list[int]]:
    scores: list[list[int]] = IntegerNetwork(network).run(torch.as_tensor(counts)).scores.tolist()
    return scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A core that is loaded at run time, which takes both networks: the one that all tests emulate."""
    place = tmp_path_factory.mktemp("emulated")
    for name, network in (("model", NETWORK), ("other", OTHER)):
        save_model(place / f"{name}.safetensors", network, {})
    other = Loadable(0.0, [place / "other.safetensors"])
    build(place / "model.safetensors", place / "build", 1, loadable=other)
    return place


@pytest.fixture
def connect(folder: Path) -> Iterator[Callable[..., Session]]:
    """Sessions with the emulated board, closed in the end."""
    opened: list[Session] = []

    def make(baud: int = 1_000_000) -> Session:
        port = EmulatedPort(folder / "build", "icebreaker", baud, quick=True, idle=IDLE)
        opened.append(Session(port, StreamFormat.from_manifest(read_manifest(folder / "build"))))
        return opened[-1]

    yield make
    for session in opened:
        session.port.close()


def image(folder: Path, model: str) -> bytes:
    return image_of(folder / "build", *open_build(folder / "build", folder / f"{model}.safetensors"))


def test_networks_are_loaded_and_lost_bytes_sent_again(folder: Path, connect: Callable[..., Session]) -> None:
    session = connect()
    port: Any = session.port
    counts = random_counts(1, NETWORK, 2)
    assert not session.begin().loaded
    session.load(image(folder, "model"))
    answers = [session.ask(sample) for sample in counts]
    assert [list(answer.result.scores) for answer in answers] == expected(NETWORK, counts)
    assert [answer.tries for answer in answers] == [1, 1]
    # Of a core at 12 MHz, however long the emulation takes.
    assert all(1e-6 < answer.latency < 1e-3 for answer in answers)
    # The first byte of an event, and the last one of all, without which no result comes.
    reloaded = []
    for place in (5, len(encode(counts[0], session.stream))):
        port.tell(f"drop {place}")
        answer = session.ask(counts[0], lambda: (reloaded.append(1), session.load(image(folder, "model"))))
        assert list(answer.result.scores) == expected(NETWORK, counts)[0]
        assert answer.tries == 2
    assert len(reloaded) == 2
    # A damaged image is sent again.
    port.tell("drop 40")
    session.load(image(folder, "other"))
    assert list(session.ask(counts[1]).result.scores) == expected(OTHER, counts)[1]


def test_another_core_is_told_by_its_fingerprint(connect: Callable[..., Session]) -> None:
    session = connect()
    found = session.begin().fingerprint
    assert session.begin(found).fingerprint == found
    with pytest.raises(InputError) as caught:
        session.begin(found ^ 1)
    assert str(caught.value) == (
        f"the board at {session.port.name} must have the core of this build folder (fingerprint {found ^ 1:07x}), not "
        f"another one ({found:07x}): program it with the bitstream that `spikewright synth` made of this folder"
    )


def test_a_wrong_rate_is_told(connect: Callable[..., Session]) -> None:
    session = connect(115_200)
    with pytest.raises(NoAnswer) as caught:
        session.begin()
    assert str(caught.value) == (
        f"the board at {session.port.name} must answer within 2 s, not be silent: is it programmed, is this its port, "
        "and its rate?"
    )


def test_a_cable_that_is_pulled_is_told(folder: Path, connect: Callable[..., Session]) -> None:
    session = connect()
    port: Any = session.port
    session.begin()
    session.load(image(folder, "model"))
    port.tell("pull")
    with pytest.raises(PortGone, match=f"^the line {port.name} must stay connected, not go away: "):
        session.ask(random_counts(1, NETWORK, 1)[0])


def test_two_hosts_do_not_share_a_line(connect: Callable[..., Session]) -> None:
    session = connect()
    with pytest.raises(InputError) as caught:
        SerialPort(session.port.name, 1_000_000)
    assert str(caught.value) == f"port {session.port.name} must be free, not in use by another program"
    session.begin()


def test_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The network of the folder, and a board whose core differs from the model's."""
    command = ["run", str(folder / "build"), "--port", "emulate", "--data", "sample", "--samples", "1", "--json"]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["samples"], report["mismatches"], report["repeated"], report["details"]) == (1, 0, 0, [])
    assert report["accuracy"] == report["model_accuracy"]
    assert 1 < report["latency_us"] <= report["slowest_us"] < 1000
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(image(folder, "other"))
    assert main([*command, "--image", str(wrong)]) == 1
    streams = capsys.readouterr()
    report = json.loads(streams.out)
    assert report["mismatches"] > 5
    first = report["details"][0]
    assert first.startswith("sample 0, score of class 0: expected ")
    assert f"spikewright: failed: {report['mismatches']} mismatches; {first}\n" in streams.err


def test_the_code_of_the_documents_runs(
    folder: Path,
    connect: Callable[..., Session],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That of the protocol's page: the network is loaded, then a sample sent."""
    session = connect()
    port: Any = session.port
    session.begin()
    port._serial.close()  # the line is free for the code, while the emulator runs on
    page = (Path(__file__).parents[3] / "docs/reference/protocol.md").read_text()
    sample, load = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(folder)
    counts = random_counts(1, NETWORK, 1)
    names: dict[str, Any] = {"port": port.name, "counts": counts[0]}
    begins = sample.index("with serial")
    exec(sample[:begins] + load + sample[begins:], names)
    (scores,) = expected(NETWORK, counts)
    assert capsys.readouterr().out == f"{scores.index(max(scores))} {tuple(scores)}\n"


def test_listen(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two tones of a file are two words, and the scores those of the integer network that hears the same."""
    rate = 16000
    silence = np.zeros(rate // 2)
    tones = [np.sin(np.arange(rate // 10) * pitch * 2 * np.pi / rate) / 2 for pitch in (300, 2000)]
    sound = np.concatenate([silence, tones[0], silence, tones[1], silence])
    file = tmp_path / "tones.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(rate)
        out.writeframes((sound * 32767).astype("<i2").tobytes())
    connected = of_sound.connected
    monkeypatch.setattr(of_sound, "connected", lambda *given: connected(*given, quick=True))
    assert main(["listen", str(folder / "build"), "--port", "emulate", "--wav", str(file), "--json"]) == 0
    words = json.loads(capsys.readouterr().out)["words"]
    assert [word["begin_s"] for word in words] == [0.47, 1.07]
    for word in words:
        begin = round(word["begin_s"] * rate)
        samples = sound[begin : begin + round(word["duration_s"] * rate)]
        heard = (samples * 32767).astype("<i2") / 32768
        times, units = hear(heard, rate)
        counts = bin_spikes(Rows(np.zeros(1, np.int64), np.array([len(times)]), times, units), 10, 0.01, 5)
        trace = IntegerNetwork(NETWORK).run(torch.as_tensor(np.minimum(counts, 63)))
        assert word["scores"] == trace.scores[0].tolist()
        assert word["label"] == int(trace.classes[0])
        assert word["word"] == word["names"][word["label"]]
    assert words[0]["scores"] != words[1]["scores"]


def test_the_board_to_emulate(folder: Path, tmp_path: Path) -> None:
    assert board_of(folder / "build", None) == "icebreaker"
    assert board_of(folder / "build", "ulx3s-85f") == "ulx3s-85f"
    for name in ("ulx3s-85f", "icebreaker"):
        place = tmp_path / f"synth-{name}"
        place.mkdir()
        (place / "manifest.json").write_text("{}")
        if name == "ulx3s-85f":
            assert board_of(tmp_path, None) == "ulx3s-85f"
    with pytest.raises(InputError) as caught:
        board_of(tmp_path, None)
    assert str(caught.value) == (
        f"board must be given, as {tmp_path} has bitstreams for icebreaker, ulx3s-85f, and not left out"
    )


def test_an_emulator_ends_with_its_port(connect: Callable[..., Session]) -> None:
    session = connect()
    port: Any = session.port
    process = port._process
    port.close()
    assert process.poll() is not None
    begin = time.monotonic()
    with pytest.raises(PortGone):
        port.read(10)
    assert time.monotonic() - begin < 5
