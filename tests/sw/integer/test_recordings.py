"""Every command that takes --data reads the data set that the network was trained on."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data_files import write_bars, write_recordings
from spikewright.cli import main as cli
from spikewright.contract.errors import InputError
from spikewright.data.sets import load_split
from spikewright.integer.file import load_info, load_model
from spikewright.integer.recordings import binning_of, data_of, load
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.checkpoint import read_checkpoint
from spikewright.learn.config import DataConfig, load_config


def call(*argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(list(map(str, argv)))
    return status, out.getvalue(), err.getvalue()


def report(*argv):
    status, out, err = call(*argv, "--json")
    assert status == 0, err
    return json.loads(out)


LAYERS = {0: 12, 1: 12, 2: 12}
SMALL = [f"network.layers.{index}.neurons={neurons}" for index, neurons in LAYERS.items()]


def train(name: str, folder: Path, *settings: str):
    argv = [part for setting in (*SMALL, *settings) for part in ("--set", setting)]
    return report("train", name, "--data", folder, "--out", folder / "run", *argv)


def test_pixels_all_the_way(tmp_path):
    write_bars(tmp_path, 80, "train")
    write_bars(tmp_path, 16, "test", seed=1)
    train("psmnist-small", tmp_path, "pool=7", "timesteps=16", "epochs=2", "batch=16", "training_samples=0")
    checkpoint, model, build = (tmp_path / name for name in ("run/checkpoint.safetensors", "m.safetensors", "build"))
    found = report("evaluate", checkpoint, "--data", tmp_path)
    assert found["samples"] == 16
    quantized = report("quantize", checkpoint, "-o", model, "--data", tmp_path)
    assert quantized["value_bits"] == 8
    assert quantized["accuracy"]["float"] == found["accuracy"]
    assert report("evaluate", model, "--data", tmp_path, "--split", "train")["samples"] == 80
    # Feed-forward weights are smaller by 255 than recurrent ones, and share their scale: the first layer is wider.
    spec = load_model(model)
    assert [layer.weight_bits for layer in spec.layers] == [16, 8, 8, 8]
    network, config, _ = read_checkpoint(checkpoint)
    assert load_info(model)["data"] == {
        "name": "psmnist",
        "permutation_seed": 0,
        "pool": 7,
        "training_samples": 0,
    }
    data = load_split(config.data, tmp_path, "test", timesteps=16)
    values = torch.from_numpy(data.counts)
    rates = [
        torch.stack([spikes.double().mean() for spikes in net.run(values).spikes])
        for net in (network, IntegerNetwork(spec))
    ]
    assert torch.allclose(*rates, rtol=0.1)
    assert report("generate", model, "-o", build, "--lanes", 1)["stream"]["value_bits"] == 8


def test_the_published_validation_part_is_used(tmp_path):
    write_recordings(tmp_path / "ssc_train.h5", 20)
    settings = ("timesteps=20", "timestep=0.05", "epochs=1", "batch=8", "delay_high=5")
    settings = settings[:-1]
    found = train("ssc-small", tmp_path, *settings)
    assert (found["training_samples"], found["validation_samples"]) == (18, 2)
    write_recordings(tmp_path / "ssc_valid.h5", 5)
    found = report(
        *("train", "ssc-small", "--data", tmp_path, "--out", tmp_path / "run", "--restart"),
        *(part for setting in (*SMALL, *settings) for part in ("--set", setting)),
    )
    assert (found["training_samples"], found["validation_samples"]) == (20, 5)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    assert report("evaluate", checkpoint, "--data", tmp_path, "--split", "valid")["samples"] == 5
    status, out, err = call("evaluate", checkpoint, "--data", tmp_path)
    assert (status, out) == (2, "")
    assert err == f"spikewright: error: {tmp_path / 'ssc_test.h5'} must be an SHD-format HDF5 file, not missing\n"


def test_training_samples(tmp_path):
    write_bars(tmp_path, 64, "train")
    found = train("psmnist-small", tmp_path, "pool=14", "timesteps=4", "epochs=1", "batch=8", "training_samples=30")
    assert (found["training_samples"], found["validation_samples"]) == (27, 3)


def test_where_nothing_is_said_it_is_shd(tmp_path):
    network = load_config("shd").network
    assert binning_of(network) == {"timestep": 0.01, "bin_width": 5}
    assert data_of(binning_of(network)) == DataConfig()
    assert data_of(binning_of(network, DataConfig(name="ssc"))) == DataConfig(name="ssc")
    assert len(load(None, "test", network, binning_of(network), at_most=3)) == 3


@pytest.mark.parametrize(
    ("binning", "message"),
    [
        ({"data": "ssc"}, "metadata of the model: data must be a table, not 'ssc'"),
        ({"data": {"name": "cifar"}},
         "metadata of the model: data.name must be one of shd, ssc, psmnist, not 'cifar'"),
        ({"data": {"name": "psmnist", "pool": 3}},
         "metadata of the model: data.pool must be one of 1, 2, 4, 7, 14, not 3"),
        ({"data": {"name": "ssc"}}, "--data must be given for a network of ssc, not left out"),
        ({"bin_width": 3}, "metadata of the model: bin_width must divide 700, not 3"),
        ({"timestep": float("nan")},
         "metadata of the model: timestep must be above 0 and at most 3600 seconds, not nan"),
    ],
)  # fmt: skip
def test_metadata_that_do_not_fit(binning, message):
    with pytest.raises(InputError) as error:
        load(None, "test", load_config("shd").network, binning)
    assert str(error.value) == message


def test_bad_metadata_name_their_file(tmp_path):
    with pytest.raises(InputError) as error:
        load(None, "test", load_config("shd").network, {"timestep": None}, model=tmp_path / "m.safetensors")
    assert str(error.value) == (
        f"{tmp_path / 'm.safetensors'}: metadata: timestep must be above 0 and at most 3600 seconds, not None"
    )


def test_shipped_sample_is_no_image(tmp_path):
    write_bars(tmp_path, 20, "train")
    train("psmnist-small", tmp_path, "pool=14", "timesteps=4", "epochs=1", "batch=8")
    out = tmp_path / "m.safetensors"
    status, _, err = call("quantize", tmp_path / "run" / "checkpoint.safetensors", "-o", out)
    assert status == 2
    assert err == "spikewright: error: --data must be given for a network of psmnist, not left out\n"
    assert not out.exists()
    assert np.array_equal(sorted(p.name for p in tmp_path.glob("*.safetensors")), [])
