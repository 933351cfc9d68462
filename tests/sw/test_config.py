import json

import pytest

from spikewright.config import Config, DataConfig, LayerConfig, NetworkConfig, from_dict, load_config, override, shipped
from spikewright.errors import InputError

SMALL = Config(network=NetworkConfig(layers=(LayerConfig(neurons=8), LayerConfig(neurons=6, recurrent=True))))


@pytest.mark.parametrize("name", shipped())
def test_shipped_configurations_are_valid(name):
    config = load_config(name)
    assert config.network.readout == "sum"
    assert from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_shd_network_is_the_contract_s():
    network = load_config("shd").network
    assert [network.inputs, *(layer.neurons for layer in network.layers), network.classes] == [140, 256, 256, 20]
    assert [layer.recurrent for layer in network.layers] == [False, True]
    assert {(layer.tau, layer.reset, layer.batch_norm) for layer in network.layers} == {(1.05, "hard", True)}
    assert (network.layers[1].delay_low, network.layers[1].delay_high) == (10.0, 30.0)
    assert network.timestep == 0.010


@pytest.mark.parametrize(
    ("name", "widths", "timesteps"),
    [
        ("ssc", [140, 256, 256, 256, 35], 250),
        ("ssc-small", [140, 64, 64, 64, 35], 250),
        ("psmnist", [1, 64, 212, 212, 10], 784),
        ("psmnist-small", [1, 64, 128, 128, 10], 196),
    ],
)
def test_the_recurrent_networks_are_the_contract_s(name, widths, timesteps):
    config = load_config(name)
    network = config.network
    assert [network.inputs, *(layer.neurons for layer in network.layers), network.classes] == widths
    assert {(layer.tau, layer.reset, layer.recurrent) for layer in network.layers} == {(2.0, "soft", True)}
    assert {(layer.delays, layer.delay_high, layer.learned_spread) for layer in network.layers} == {
        ("half_normal", 12.0, True)
    }
    assert (network.timesteps, network.readout_tau) == (timesteps, 1.0)
    assert config.data.name == name.removesuffix("-small")
    if config.data.name == "ssc":
        assert (network.timestep, network.bin_width, network.input_scale) == (0.0056, 5, 1.0)
    else:
        assert (network.input_scale * 255, network.value_bits) == (pytest.approx(1.0), 8)


def test_a_configuration_without_a_data_set_is_of_shd():
    assert load_config("shd").data == DataConfig() == DataConfig(name="shd")
    assert override(SMALL, {"data.name": "ssc"}).data.name == "ssc"
    assert override(SMALL, {"pool": "2", "permutation_seed": "5"}).data == DataConfig(pool=2, permutation_seed=5)


def test_settings_by_full_and_by_short_name():
    config = override(
        SMALL, {"epochs": "3", "training.lr": "1", "network.layers.1.neurons": "7", "schedule": "none", "mix": "0.5"}
    )
    assert config.training.epochs == 3
    assert config.training.lr == 1.0
    assert config.network.layers[1].neurons == 7
    assert config.network.layers[1].recurrent
    assert config.training.schedule == "none"
    assert config.augment.mix == 0.5


def test_settings_of_lists():
    assert override(SMALL, {"validation_speakers": "[3, 9]"}).training.validation_speakers == (3, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": "3"}, "--set epoch must name a setting such as training.epochs, not 'epoch'"),
        (
            {"training.epoch": "3"},
            "--set training.epoch must name a setting such as training.epochs, not 'training.epoch'",
        ),
        (
            {"network.layers.9.neurons": "3"},
            "--set network.layers.9.neurons must name a setting such as "
            "training.epochs, not 'network.layers.9.neurons'",
        ),
        ({"epochs": "many"}, "--set epochs must be a value such as 50, not 'many'"),
        ({"epochs": "2.5"}, "training.epochs must be an integer, not 2.5"),
        ({"epochs": "0"}, "training.epochs must be 1 .. 1000000, not 0"),
        ({"lr": "nan"}, "training.lr must be finite, not nan"),
        ({"schedule": "linear"}, "training.schedule must be one of none, cosine, onecycle, not 'linear'"),
        ({"network.layers.0.tau": "0.5"}, "network.layers.0.tau must be at least 1 step, not 0.5"),
        ({"network.layers.1.delay_high": "90"}, "network.layers.1.delay_high must be at most max_delay, not 90.0"),
        ({"network.layers.0.recurrent": "1"}, "network.layers.0.recurrent must be true or false, not 1"),
        ({"mix": "1.5"}, "augment.mix must be 0 .. 1, not 1.5"),
        ({"input_scale": "0"}, "network.input_scale must be above 0, not 0.0"),
        ({"input_scale": "inf"}, "network.input_scale must be finite, not inf"),
        ({"value_bits": "17"}, "network.value_bits must be 1 .. 16, not 17"),
        ({"pool": "3"}, "data.pool must be one of 1, 2, 4, 7, 14, not 3"),
        ({"permutation_seed": "-1"}, "data.permutation_seed must be 0 .. 2147483647, not -1"),
        ({"training_samples": "-1"}, "data.training_samples must be at least 0, not -1"),
        ({"data.name": "psmnist"}, "network.inputs must be 1 for psmnist, not 140"),
        (
            {"data.name": "psmnist", "inputs": "1", "pool": "4"},
            "network.timesteps must be 49 for psmnist, one step for each pixel, not 100",
        ),
        ({"validation_speakers": "3"}, "training.validation_speakers must be a list, not 3"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(InputError) as error:
        override(SMALL, settings)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "must be TOML, not a file with: "),
        ("[network]\n", "network.layers must be given, not left out"),
        ("[network]\nlayers = []\n", "network.layers must be 1 .. 64 layers, not 0"),
        ("[[network.layers]]\nneurons = 4\nneuron = 5\n", "network.layers.0.neuron must be one of neurons, recurrent"),
        ("[[network.layers]]\nneurons = '4'\n", "network.layers.0.neurons must be an integer, not '4'"),
        ("[training]\n[[network.layers]]\nneurons = 4\n[other]\n", "other must be one of network, training, augment"),
        ("network = 3\n", "network must be a table, not 3"),
        ("a = " + "1" * 5000, "must be TOML, not a file with: Exceeds the limit"),
        ("a = " + "[" * 100_000, "must be TOML, not a file with: nested too deeply"),
        ("#" * (1 << 20) + "\n", "must be at most 1048576 bytes, not more"),
        (
            "[[network.layers]]\nneurons = 65536\nrecurrent = true\n",
            "layers must be of at most 268435456 weights, not ",
        ),
    ],
)
def test_files_that_do_not_fit(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_config(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"config {path}")
    assert "\n" not in str(error.value)


def test_missing_configuration_names_the_shipped_ones():
    with pytest.raises(InputError) as error:
        load_config("shdd")
    assert str(error.value) == f"config must be a TOML file or one of {', '.join(shipped())}, not shdd"
