import json

import pytest

from spikewright.contract.errors import InputError
from spikewright.learn.config import (
    Config,
    DataConfig,
    LayerConfig,
    NetworkConfig,
    from_dict,
    load_config,
    override,
    shipped,
    without_effect,
)

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
    shown = override(load_config("psmnist"), {"permutation_seed": "5"}).data
    assert shown == DataConfig(name="psmnist", permutation_seed=5)


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
        (
            {"epoch": "3"},
            "--set epoch must name a setting such as training.epochs, not 'epoch'; did you mean epochs?",
        ),
        (
            {"trainng.lr": "3"},
            "--set trainng.lr must name a setting such as training.epochs, not 'trainng.lr'; did you mean training.lr?",
        ),
        (
            {"layers.1.neurns": "3"},
            "--set layers.1.neurns must name a setting such as training.epochs, not 'layers.1.neurns'; "
            "did you mean network.layers.1.neurons?",
        ),
        ({"colour": "3"}, "--set colour must name a setting such as training.epochs, not 'colour'"),
        (
            {"training.epoch": "3"},
            "--set training.epoch must name a setting such as training.epochs, not 'training.epoch'; "
            "did you mean training.epochs?",
        ),
        (
            {"network.layers.9.neurons": "3"},
            "--set network.layers.9.neurons must name a setting such as "
            "training.epochs, not 'network.layers.9.neurons'; did you mean network.layers.1.neurons?",
        ),
        ({"epochs": "many"}, "--set epochs must be a value such as 50, not 'many'"),
        ({"epochs": "2.5"}, "training.epochs must be an integer, not 2.5"),
        ({"epochs": "0"}, "training.epochs must be 1 .. 1000000, not 0"),
        ({"batch": "1"}, "training.batch must be 2 .. 65536, not 1"),
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
        (
            "[[network.layers]]\nneurons = 4\nneurones = 5\n",
            "network.layers.0.neurones must be one of neurons, recurrent",
        ),
        ("[[network.layers]]\nneurons = 4\nneuron = 'x'\n", "network.layers.0.neuron must be one of lif, not 'x'"),
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


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_with_a_byte_order_mark(tmp_path, ends):
    text = f"# Größe{ends}[network]{ends}timesteps = 30{ends}[[network.layers]]{ends}neurons = 5{ends}"
    (tmp_path / "own.toml").write_bytes(text.encode("utf-8-sig"))
    assert load_config(tmp_path / "own.toml").network.layers[0].neurons == 5


@pytest.mark.parametrize(
    ("encoding", "what"),
    [
        ("utf-16", "text in UTF-16, by its byte order mark, instead of UTF-8"),
        ("latin-1", "byte 0xf6 at 4, which is no UTF-8"),
    ],
)
def test_a_file_in_another_encoding(tmp_path, encoding, what):
    path = tmp_path / "own.toml"
    path.write_bytes("# Größe\n".encode(encoding))
    with pytest.raises(InputError) as error:
        load_config(path)
    assert str(error.value) == f"config {path} must be TOML, not a file with: {what}"


def test_missing_configuration_names_the_shipped_ones():
    with pytest.raises(InputError) as error:
        load_config("shdd")
    assert (
        str(error.value) == f"config must be a TOML file or one of {', '.join(shipped())}, not shdd; did you mean shd?"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_decay": "0.9"}, "training.weight_decay must be 0 with optimizer adabreg, not 0.9"),
        ({"momentum": "0.9"}, "training.momentum must be 0 with optimizer adabreg, not 0.9"),
        ({"optimizer": "adam"}, "training.target_sparsity must be 0 with optimizer adam, not 0.5"),
        (
            {"optimizer": "linbreg", "weight_decay": "0.1"},
            "training.weight_decay must be 0 with optimizer linbreg, not 0.1",
        ),
        (
            {"optimizer": "adam", "target_sparsity": "0", "lam": "0.3"},
            "training.lam must be left out where optimizer is adam, not 0.3",
        ),
        (
            {"optimizer": "adam", "target_sparsity": "0", "delta": "2"},
            "training.delta must be left out where optimizer is adam, not 2.0",
        ),
        (
            {"target_sparsity": "0", "lam_step": "0.3"},
            "training.lam_step must be left out where target_sparsity is 0, not 0.3",
        ),
        (
            {"start": "a.safetensors", "density": "0.3"},
            "training.density must be left out where start names the first weights, not 0.3",
        ),
        ({"temperature": "3"}, "distillation.temperature must be left out where teachers is empty, not 3.0"),
        ({"pool": "2"}, "data.pool must be left out where data.name is shd, not 2"),
        (
            {"network.layers.0.max_delay": "9"},
            "network.layers.0.max_delay must be left out where network.layers.0.recurrent is false, not 9",
        ),
        (
            {"network.layers.1.bias": "true"},
            "network.layers.1.bias must be left out where network.layers.1.batch_norm is true, not True",
        ),
    ],
)
def test_settings_that_would_do_nothing_are_refused(settings, message, tmp_path):
    sparse = override(SMALL, {"target_sparsity": "0.5"})
    with pytest.raises(InputError) as error:
        override(sparse, settings)
    assert str(error.value) == message
    # In a file likewise.
    text = {"network": "", "training": "", "data": "", "distillation": ""}
    layers = ["neurons = 8", "neurons = 6\nrecurrent = true"]
    for name, value in ({"target_sparsity": "0.5"} | settings).items():
        value = value if value[0] in "0123456789t" else f'"{value}"'
        if name.startswith("network.layers"):
            _, _, index, key = name.split(".")
            layers[int(index)] += f"\n{key} = {value}"
        else:
            section = {"temperature": "distillation", "pool": "data"}.get(name, "training")
            text[section] += f"{name} = {value}\n"
    path = tmp_path / "my.toml"
    sections = "".join(f"[{name}]\n{body}" for name, body in text.items() if name != "network")
    path.write_text(sections + "".join(f"[[network.layers]]\n{layer}\n" for layer in layers))
    with pytest.raises(InputError) as error:
        load_config(path)
    assert str(error.value) == f"config {path}: {message}"


def test_settings_at_their_default_say_nothing_and_pass():
    config = override(SMALL, {"optimizer": "adam", "target_sparsity": "0", "momentum": "0", "lam": "0.01"})
    assert config.training.optimizer == "adam"


def test_a_configuration_for_adabreg_serves_adam_too():
    config = load_config("shd", {"optimizer": "adam", "target_sparsity": "0"})
    assert {"training.lam", "training.density"} <= without_effect(config).keys()
    assert "training.weight_decay" not in without_effect(config)
