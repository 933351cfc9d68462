import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import FORMAT, load_checkpoint, read_checkpoint, save_checkpoint
from spikewright.learn.config import Config, LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork

CONFIG = Config(
    network=NetworkConfig(
        inputs=5,
        classes=3,
        timesteps=12,
        layers=(LayerConfig(neurons=6), LayerConfig(neurons=4, recurrent=True, delay_low=0, delay_high=5)),
    )
)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = SpikingNetwork(CONFIG.network)
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, network, CONFIG, {"epoch": 3})
    return path, network.eval()


def rewrite(path, change_tensors=None, change_metadata=None):
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if change_tensors:
        change_tensors(tensors)
    if change_metadata:
        change_metadata(metadata)
    save_file(tensors, path, metadata)


def test_rebuilds_the_network_alone(saved):
    path, network = saved
    loaded, config, info = read_checkpoint(path)
    assert config == CONFIG
    assert info == {"epoch": 3}
    assert not loaded.training
    assert all(p.requires_grad for p in loaded.parameters())
    values = torch.randint(0, 4, (7, 12, 5), generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.run(values).scores, network.run(values).scores)


def test_loading_draws_no_random_numbers(saved):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_checkpoint(saved[0])
    assert torch.equal(torch.rand(3), expected)


def fill(name, value):
    def change(tensors):
        tensors[name].view(-1)[0] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (fill("layers.0.weight", torch.nan), "tensor 'layers.0.weight' must be finite, not NaN or infinite"),
        (
            fill("layers.1.recurrent_weight", torch.inf),
            "tensor 'layers.1.recurrent_weight' must be finite, not NaN or infinite",
        ),
        (fill("layers.0.norm.running_var", -1.0), "tensor 'layers.0.norm.running_var' must be at least 0, not -1.0"),
        (fill("layers.1.delays", 63.0), "tensor 'layers.1.delays' must be 0 .. 62 steps, not 63.0"),
        (fill("layers.1.delays", -1.0), "tensor 'layers.1.delays' must be 0 .. 62 steps, not -1.0"),
        (lambda t: t.pop("readout.bias"), "tensor 'readout.bias' is missing"),
        (lambda t: t.update(more=torch.ones(1)), "unexpected tensor 'more'"),
        (
            lambda t: t.update({"readout.weight": torch.ones(3, 5)}),
            "tensor 'readout.weight' must have shape (3, 4), not (3, 5)",
        ),
        (
            lambda t: t.update({"readout.weight": torch.ones(3, 4, dtype=torch.float64)}),
            "tensor 'readout.weight' must be torch.float32, not torch.float64",
        ),
    ],
)
def test_tensors_that_do_not_fit(saved, change, message):
    path, _ = saved
    rewrite(path, change_tensors=change)
    with pytest.raises(InputError) as error:
        load_checkpoint(path)
    assert str(error.value) == f"{path}: {message}"


def set_config(**values):
    def change(metadata):
        config = json.loads(metadata["config"])
        config["network"].update(values)
        metadata["config"] = json.dumps(config)

    return change


HUGE = [{"neurons": 65536, "recurrent": True}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="other"), f"metadata 'format' must be '{FORMAT}', not 'other'"),
        (lambda m: m.pop("config"), "metadata 'config' is missing"),
        (lambda m: m.update(config="{"), "metadata 'config' must be JSON, not text with: Expecting property name"),
        (lambda m: m.update(config="[" * 100_000), "metadata 'config' must be JSON, not text with: nested too deeply"),
        (lambda m: m.update(info="3"), "metadata 'info' must be a JSON object, not '3'"),
        (lambda m: m.update(config='{"network": 3}'), "metadata 'config': network must be a table, not 3"),
        (set_config(inputs="5"), "metadata 'config': network.inputs must be an integer, not '5'"),
        (set_config(inputs=6), "tensor 'layers.0.weight' must have shape (6, 6), not (6, 5)"),
        (set_config(layers=HUGE), "metadata 'config': network.layers must be of at most 268435456 weights, not "),
        (lambda m: m.update(info='{"a": NaN}'), "metadata 'info' must be JSON, not text with: number NaN"),
        (lambda m: m.update(info='{"a": 1, "a": 2}'), "metadata 'info' must be JSON, not text with: key 'a' twice"),
    ],
)
def test_metadata_that_does_not_fit(saved, change, message):
    path, _ = saved
    rewrite(path, change_metadata=change)
    with pytest.raises(InputError) as error:
        load_checkpoint(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, 4, 100, -1, -100])
def test_truncated_files(saved, size):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError) as error:
        load_checkpoint(path)
    assert str(error.value).startswith(f"{path}: not a readable safetensors file (")
    assert "\n" not in str(error.value)


def test_other_files(tmp_path):
    with pytest.raises(InputError) as error:
        load_checkpoint(tmp_path / "none.safetensors")
    assert str(error.value) == f"{tmp_path / 'none.safetensors'}: no such file"
    pickle = tmp_path / "net.pt"
    torch.save({"weight": torch.ones(2)}, pickle)
    with pytest.raises(InputError) as error:
        load_checkpoint(pickle)
    assert str(error.value).startswith(f"{pickle}: not a readable safetensors file (")


@pytest.mark.parametrize("steps", [-1.0, 1.5, 4.0])
def test_steps_to_the_next_layer_are_whole_and_within_those_of_the_configuration(tmp_path, steps):
    layer = LayerConfig(neurons=6, onward=3)
    config = replace(CONFIG, network=replace(CONFIG.network, layers=(layer,)))
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, SpikingNetwork(config.network), config, {})
    assert load_checkpoint(path).layers[0].onward.tolist() == [3.0] * 6
    rewrite(path, lambda tensors: tensors["layers.0.onward"].fill_(steps))
    with pytest.raises(InputError, match=f"^{path}: tensor 'layers.0.onward' must be whole steps, 0 .. 3$"):
        load_checkpoint(path)
