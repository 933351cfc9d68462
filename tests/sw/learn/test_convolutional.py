import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import load_checkpoint, read_network, save_checkpoint
from spikewright.learn.config import Config, NetworkConfig, TrainingConfig, override
from spikewright.learn.convolutional import ConvolutionalNetwork

CONFIG = Config(
    network=NetworkConfig(layers=(), convolutions=2, inputs=20, classes=3, timesteps=15),
    training=TrainingConfig(optimizer="adam"),
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ConvolutionalNetwork(CONFIG.network).eval()


def counts(samples, seed=0):
    return torch.randint(0, 4, (samples, 15, 20), generator=torch.Generator().manual_seed(seed))


def test_gives_a_score_per_class_and_no_spikes(network):
    trace = network.run(counts(6))
    assert trace.scores.shape == (6, 3)
    assert trace.scores.dtype == torch.float32
    assert trace.spikes == ()
    assert torch.equal(trace.classes, trace.scores.argmax(dim=1))


def test_a_sample_s_scores_do_not_depend_on_its_batch(network):
    values = counts(6)
    alone = torch.cat([network.run(values[i : i + 1]).scores for i in range(6)])
    torch.testing.assert_close(network.run(values).scores, alone, rtol=0.02, atol=0.05)  # bfloat16


def test_learns(network):
    """Three classes that differ in the channels of their first or second half."""
    values = torch.zeros(30, 15, 20)
    labels = torch.arange(30) % 3
    noise = counts(30)
    for sample, label in enumerate(labels):
        steps = slice(0, 8) if label else slice(8, 15)
        channels = slice(0, 10) if label == 2 else slice(10, 20)
        values[sample, steps, channels] = noise[sample, steps, channels].float()
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network.run(values).scores / 15, labels).backward()
        optimizer.step()
    network.eval()
    assert float((network.run(values).classes == labels).float().mean()) > 0.9


def test_its_checkpoint_is_not_taken_for_a_spiking_network_s(network, tmp_path):
    path = tmp_path / "teacher.safetensors"
    save_checkpoint(path, network, CONFIG, {})
    same, config, _ = read_network(path)
    assert config == CONFIG
    assert torch.equal(same.run(counts(4)).scores, network.run(counts(4)).scores)
    with pytest.raises(InputError) as error:
        load_checkpoint(path)
    assert str(error.value) == f"{path}: network must be of spiking neurons, not the convolutional one of a teacher"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adabreg"}, "training.optimizer must be adam for a convolutional network, not 'adabreg'"),
        ({"rate_penalty": "1"}, "training.rate_penalty must be 0 for a convolutional network, not 1.0"),
        ({"readout": "softmax_sum"}, "network.readout must be sum for a convolutional network, not 'softmax_sum'"),
        ({"convolutions": "1025"}, "network.convolutions must be 0 .. 1024, not 1025"),
        ({"convolutions": "0"}, "network.layers must be 1 .. 64 layers, not 0"),
        ({"layers": "[{neurons = 3}]"}, "network.layers must be none in a convolutional network, not 1"),
        ({"convolution_dropout": "1"}, "network.convolution_dropout must be at least 0 and below 1, not 1.0"),
        ({"weight": "1.5"}, "distillation.weight must be 0 .. 1, not 1.5"),
        ({"temperature": "0"}, "distillation.temperature must be above 0, not 0.0"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(InputError) as error:
        override(CONFIG, settings)
    assert str(error.value) == message


def test_axes_in_another_order_are_an_error_that_shows_both_shapes(network):
    with pytest.raises(InputError) as error:
        network(counts(6).transpose(0, 1))
    assert str(error.value) == "values must be (samples, 15 steps, 20 channels), not (15, 6, 20)"
