"""Networks as their libraries wrote them, with the spikes and membranes that these computed: all must be the same."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.nir.convert import as_spiking_network, spiking_layers
from spikewright.nir.load import import_nir

FOLDER = Path(os.environ.get("SPIKEWRIGHT_SHARED", Path(__file__).parents[4] / "shared")) / "nir"
SETS = sorted(path.parent.name for path in FOLDER.glob("*/io.npz")) or ["none"]
FAULTS = sorted(path.name for path in (FOLDER / "malformed").glob("*.nir")) or ["none"]
BY_NAME = {
    "norse-iaf": ("norse", {}),
    "norse-lifbox-defaultdt": ("norse", {}),
    "norse-lifcell-cuba": ("norse", {}),
    "norse-lifrecurrent-byhand": ("norse", {"dt": "0.001"}),
    "real-braille-subtract": ("snntorch", {"reset": "snn_sub_nodelay"}),
    "real-braille-zero": ("snntorch", {"reset": "zero"}),
    "rockpool-lif": ("rockpool", {}),
    "sinabs-lif-normed": (
        "sinabs",
        {"reset": "sub", "multispike": "false", "v_min": "null", "gain": "nir", "n2.gain": "one"},
    ),
    "snntorch-mlp-subtract": ("snntorch-1.0", {"reset": "sub_delayed"}),
    "snntorch-rleaky-subtract-nodelay": ("snntorch", {"reset": "snn_sub_nodelay", "out.reset": "none"}),
    "spikingjelly-cuba": ("spikingjelly", {}),
    "spyx-lif": ("spyx", {}),
}


@pytest.fixture
def folder() -> Path:
    if not FOLDER.is_dir():
        pytest.skip(f"needs the recorded networks in {FOLDER} (set SPIKEWRIGHT_SHARED)")
    return FOLDER


def differences(folder: Path, dialect: str | Path, settings: dict[str, str]) -> tuple[int, int, float]:
    """Spikes that differ, spikes compared, and the largest error of a membrane."""
    network = import_nir(folder / "net.nir", dialect, settings)
    wrong = compared = 0
    error = 0.0
    with np.load(folder / "io.npz") as recorded:
        trace = network.run(torch.from_numpy(recorded["input"].swapaxes(0, 1).copy()))
        assert any(name.endswith(".spikes") for name in recorded)
        for key in recorded:
            name, _, what = key.rpartition(".")
            if what == "spikes":
                found = trace.spikes[name].transpose(0, 1).numpy()
                assert found.shape == recorded[key].shape
                wrong += int((found != recorded[key]).sum())
                compared += found.size
            elif what == "membrane":
                found = trace.membranes[name].transpose(0, 1).numpy()[:, : recorded[key].shape[1]]
                error = max(error, float(np.abs(found - recorded[key]).max()))
    return wrong, compared, error


@pytest.mark.parametrize("name", SETS)
def test_recorded_spikes_and_membranes(folder: Path, name: str) -> None:
    about = json.loads((folder / name / "about.json").read_text())
    wrong, compared, error = differences(folder / name, folder / name / "about.json", {})
    margin = min(check["min_margin"] for check in about["numpy_check"])
    assert wrong <= (0 if margin > 1e-5 else compared // 10_000)
    assert error < 1e-4


@pytest.mark.parametrize("name", BY_NAME)
def test_the_shipped_dialect_says_the_same(folder: Path, name: str) -> None:
    wrong, _, error = differences(folder / name, *BY_NAME[name])
    assert wrong == 0
    assert error < 1e-4


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_malformed_is_refused_by_name(folder: Path, name: str) -> None:
    path = folder / "malformed" / name
    if name.startswith("good"):
        assert import_nir(path, "snntorch", {"reset": "zero"}).classes == 3
        return
    with pytest.raises(InputError) as raised:
        import_nir(path, "snntorch", {"reset": "zero"})
    assert str(raised.value).startswith(str(path))
    assert "node '" in str(raised.value) or name == "truncated.nir"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nir-paper/braille_noDelay_bias_zero_subgraph.nir", "node 'lif1.lif': edges must be between nodes"),
        ("rockpool/braille.nir", "node 'hidden.input': shape must be"),
    ],
)
def test_published_files_that_contradict_themselves_are_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_nir(folder / "published" / name, "snntorch", {"reset": "zero"})


def test_a_published_sub_graph_fires_as_the_flat_file(folder: Path) -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (2, 60, 12)))
    flat = folder / "published" / "nir-paper" / "braille_noDelay_bias_zero.nir"
    repaired = folder / "published" / "spyx" / "braille_noDelay_bias_zero_subgraph.nir"
    one, other = (import_nir(path, "snntorch", {"reset": "zero"}).run(x) for path in (flat, repaired))
    assert one.spikes["lif1.lif"].sum() > 0
    torch.testing.assert_close(other.spikes["lif1.lif1"], one.spikes["lif1.lif"])
    torch.testing.assert_close(other.spikes["lif2"], one.spikes["lif2"])


NEAREST = (
    "norse-lifbox-defaultdt",
    "sinabs-lif-normed",
    "snntorch-cnn-avgpool",
    "snntorch-mlp-subtract",
    "spikingjelly-cnn-avgpool",
    "spikingjelly-lif-decayinput",
)
"""Those of which 8 bits suffice without recordings to calibrate on."""
NOT_IN_INTEGERS = {"real-cnn-sinabs", "none"}  # the first has a million synapses when unrolled, and takes long


@pytest.mark.parametrize("name", sorted({*SETS} - NOT_IN_INTEGERS))
@torch.no_grad()
def test_what_is_quantized_fires_nearly_as_recorded(folder: Path, name: str) -> None:
    path = folder / name
    with np.load(path / "io.npz") as recorded:
        x = torch.from_numpy(recorded["input"].swapaxes(0, 1).copy()).flatten(2)
        foreign = import_nir(path / "net.nir", path / "about.json", timesteps=x.shape[1])
        network = as_spiking_network(foreign)
        expected = {
            name: torch.from_numpy(recorded[f"{name}.spikes"].swapaxes(0, 1).copy()).flatten(2)
            for name, _ in spiking_layers(foreign)
        }
    # Floats are of 32 bits here, the recordings of a few libraries are not.
    runs = [(network.run, 1e-4), (IntegerNetwork(quantize(network, weight_bits=16)).run, 0.005)]
    if name in NEAREST:
        runs.append((IntegerNetwork(quantize(network, weight_bits=8)).run, 0.05))
    for run, most in runs:
        for found, (layer, late) in zip(run(x).spikes, spiking_layers(foreign), strict=True):
            seen = torch.cat([torch.zeros_like(found[:, :late]), found[:, : x.shape[1] - late]], dim=1)
            assert float((seen != expected[layer]).double().mean()) <= most
