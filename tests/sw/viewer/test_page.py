import dataclasses
import json
import re

import numpy as np
import pytest

from spikewright.cli import main as cli
from spikewright.contract.errors import InputError
from spikewright.report.cost import stored_bits
from spikewright.viewer.page import view
from spikewright.viewer.subject import subject_of


def payload(path):
    import base64
    import gzip

    text = path.read_text("utf-8")
    [packed] = re.findall(r'<script type="text/plain" id="payload">([^<]*)</script>', text)
    return text, json.loads(gzip.decompress(base64.b64decode(packed)))


def named(text, chosen):
    """Figures that have a place in the page."""
    return set(re.findall(rf'data-figure="(\w+)"{" data-chosen" if chosen else " role"}', text))


@pytest.mark.parametrize("name", ["checkpoint", "model", "build"])
def test_every_place_has_its_figure_and_every_figure_its_place(things, data, tmp_path, name):
    report = view(things[name], data, tmp_path / "page.html", samples=3)
    text, found = payload(tmp_path / "page.html")
    assert named(text, chosen=False) == set(found["figures"])
    assert len(found["choices"]) == report["samples"] == 3
    for choice in found["choices"]:
        assert named(text, chosen=True) == set(choice["figures"])
    assert [len(of_layer) for of_layer in found["neurons"]] == [8, 8, 3]
    assert report["bytes"] == len((tmp_path / "page.html").read_bytes())
    assert report["bytes"] < 3_000_000


def test_figures_of_the_report_are_those_of_the_network(things, data, tmp_path):
    report = view(things["build"], data, tmp_path / "page.html")
    core = subject_of(things["build"]).core
    synapses = sum(layer.synapses for layer in core.network.layers)
    assert (report["network"], report["weights"], report["synapses"]) == ([10, 8, 8, 3], 232, synapses)
    assert report["sparsity"] == 1 - synapses / 232
    assert report["bits_per_synapse"] == stored_bits(core) / synapses
    from spikewright.integer.evaluate import evaluate
    from spikewright.integer.reference import IntegerNetwork

    assert report["accuracy"] == pytest.approx(evaluate(IntegerNetwork(core.network), data)["accuracy"])
    text, found = payload(tmp_path / "page.html")
    fan_in = np.count_nonzero(core.network.layers[0].weights[2])
    assert found["neurons"][0][2].startswith(f"Layer 0, neuron 2: {fan_in} of 10 inputs; ")
    assert "its spikes come back after" in found["neurons"][1][0]
    assert "fires" in found["neurons"][1][0]
    assert "fires" not in found["neurons"][2][0]
    assert '<option value="2">Read-out</option>' in text


def test_without_recordings_it_says_what_they_would_add(things, tmp_path):
    report = view(things["model"], out=tmp_path / "page.html")
    text, found = payload(tmp_path / "page.html")
    assert "With recordings (<code>--data DIR</code>" in text
    assert "Cycles depend on the events" in text
    assert (found["choices"], report["samples"], report["accuracy"], report["cycles"]) == ([], None, None, None)
    assert named(text, chosen=True) == set()
    assert 'id="choice"' not in text


def test_names_are_text(things, data, tmp_path):
    view(things["model"], data, tmp_path / "page.html")
    text, found = payload(tmp_path / "page.html")
    assert "<td>&lt;b&gt;us&lt;/b&gt;</td>" in text
    assert "<option>0: &lt;script&gt;" in text
    lines = [line["name"] for choice in found["choices"] for line in choice["figures"]["scores"]["data"]]
    assert any(name.startswith("&lt;script&gt;") for name in lines)
    assert not any("<" in name for name in lines)


def test_what_no_core_can_have_has_no_memories(of_softmax, data, tmp_path):
    report = view(of_softmax, data, tmp_path / "page.html")
    text, found = payload(tmp_path / "page.html")
    assert "It decides by softmax_sum, which no core does" in text
    assert (report["bits_per_synapse"], report["cycles"]) == (None, None)
    assert 'id="memory"' not in text
    assert named(text, chosen=True) == set(found["choices"][0]["figures"])


def test_an_empty_network_has_a_page(empty, data, tmp_path):
    report = view(empty, data, tmp_path / "page.html")
    assert (report["sparsity"], report["bits_per_synapse"]) == (1, None)


def test_the_command_writes_the_page(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["view", "synth-small", "--data", "sample", "--samples", "2", "--lanes", "16", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["page"], report["samples"], report["network"]) == ("view.html", 2, [140, 42, 42, 20])
    text, found = payload(tmp_path / "view.html")
    assert "generate --lanes 16</code>" in text
    assert re.match(r"0: [a-z]+", found["choices"][0]["label"])
    assert cli.main(["view", "synth-small", "-o", "other.html"]) == 0
    assert "page" in capsys.readouterr().out
    assert (tmp_path / "other.html").is_file()


def test_bad_input_leaves_no_page(things, data, tmp_path):
    out = tmp_path / "page.html"
    few = dataclasses.replace(data, labels=np.array([0, 1, 2, 3, 1]), keys=("a", "b", "c", "d"))
    for thing, given, options, message in (
        (things["model"], few, {}, r"^data: labels must be below 3, the classes of the network, not 3$"),
        (things["model"], data.first(0), {}, r"^data must hold at least one sample, not 0$"),
        (things["model"], data, {"samples": 0}, r"^samples must be at least 1, not 0$"),
    ):
        with pytest.raises(InputError, match=message):
            view(thing, given, out, **options)
    assert not out.exists()
