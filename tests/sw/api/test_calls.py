"""The calls of `import spikewright as sw`: each takes what another one returns, or the path of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spikewright as sw
import tiny_training
from spikewright.integer.file import load_model
from spikewright.integer.rates import SAMPLES

SIMULATED: dict[str, Any] = {
    "samples": 3,
    "mismatches": 0,
    "cycle_mismatches": 0,
    "details": [],
    "accuracy": 2 / 3,
    "cycles_per_inference": {"min": 900, "mean": 1000.5, "max": 1100},
    "predicted_cycles_per_inference": {"min": 900, "mean": 1000.5, "max": 1100},
    "synaptic_ops": 1234,
    "dense_synaptic_ops": 5678,
}
SYNTHESIZED: dict[str, Any] = {
    "board": "icebreaker",
    "luts": 4000,
    "available": {"luts": 5280},
    "fmax_mhz": 11.5,
    "clock_mhz": 12.0,
    "bitstream": "top.bin",
}


class Way:
    """From the recordings to a build folder, by objects."""

    def __init__(self, folder: Path) -> None:
        self.config, self.data = tiny_training.write_all(folder)
        self.training = sw.train(self.config, self.data, folder / "run", epochs=1)
        self.network = self.training.network
        self.test = sw.load_data(self.data, network=self.network)
        self.model = sw.quantize(self.network, weight_bits=6)
        self.build = sw.generate(self.model, folder / "build", lanes=2)


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    return Way(tmp_path_factory.mktemp("way"))


def random_data(samples: int = 30, steps: int = 12, channels: int = 10) -> sw.SpikeData:
    rng = np.random.default_rng(7)
    return sw.SpikeData(rng.integers(0, 3, (samples, steps, channels)), np.arange(samples) % 3)


def small_network(**settings: Any) -> sw.SpikingNetwork:
    layers = [6, sw.LayerConfig(neurons=5, recurrent=True, delay_low=0, delay_high=4, max_delay=6)]
    return sw.build_network(layers, inputs=10, classes=3, timesteps=12, seed=3, **settings)


def test_objects_and_their_files_give_the_same(way: Way, tmp_path: Path) -> None:
    checkpoint = way.training.checkpoint
    assert checkpoint is not None
    by_file = sw.evaluate(checkpoint, way.data)
    assert by_file.report == sw.evaluate(way.network, way.test).report
    assert by_file["accuracy"] == by_file.accuracy
    path = sw.save_network(way.model, tmp_path / "model.safetensors")
    again = sw.load_network(path)
    assert isinstance(again, sw.IntegerNetwork)
    assert again.info == way.model.info
    assert again.info["bin_width"] == 70
    assert sw.evaluate(path, way.data).report == sw.evaluate(way.model, way.test).report
    assert sw.evaluate(way.model.spec, way.test).report == sw.evaluate(way.model, way.test).report
    built = sw.generate(path, tmp_path / "build", lanes=2)
    assert built.verilog.read_bytes() == way.build.verilog.read_bytes()
    stored = load_model(way.build.path / "model.safetensors")
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(stored.layers, way.model.spec.layers, strict=True))
    kept = sw.save_network(way.network, tmp_path / "kept.safetensors")
    for name, tensor in sw.load_network(kept).state_dict().items():
        assert torch.equal(tensor, way.network.state_dict()[name])
    assert sw.load_data(way.data, network=kept, samples=5).counts.shape == (5, 12, 10)


def test_quantize_by_path_and_by_object(way: Way) -> None:
    checkpoint = way.training.checkpoint
    assert checkpoint is not None
    named = sw.quantize(checkpoint, weight_bits=6, data=way.data)
    assert set(named.info) - set(way.model.info) == {"checkpoint_sha256"}
    assert (named.info["rates_of_samples"], way.model.info["rates_of_samples"]) == (SAMPLES, 0)
    training = sw.load_data(way.data, "train", network=way.network)
    own = sw.quantize(way.network, weight_bits=6, data=training)
    for one, other in zip(named.spec.layers, own.spec.layers, strict=True):
        assert np.array_equal(one.weights, other.weights)
        assert one.rates is not None and other.rates is not None
        assert np.array_equal(one.rates, other.rates)
    assert sw.quantize(way.network, calibrate=5, data=training).info["calibrated_on"] == 5
    tuned = sw.quantize(way.network, fine_tune=1, data=training).info["fine_tuning"]
    assert (tuned["epochs"], len(tuned["validation"])) == (1, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibrate": 5}, "data must be given with calibrate, not left out"),
        ({"calibrate": -1}, "calibrate must be at least 0, not -1"),
        ({"weight_bits": 1}, "weight_bits must be 2 .. 16, not 1"),
        (
            {"calibrate": 1, "fine_tune": 1, "data": "sample"},
            "calibrate must be left out with fine_tune, which begins with the nearest integers",
        ),
    ],
)
def test_quantize_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.InputError) as caught:
        sw.quantize(small_network(), **options)
    assert str(caught.value) == message


def test_an_integer_network_is_not_quantized_again(way: Way, tmp_path: Path) -> None:
    with pytest.raises(sw.InputError, match="must be a float network, not an integer network"):
        sw.quantize(sw.save_network(way.model, tmp_path / "model.safetensors"))
    with pytest.raises(sw.InputError, match=r"must be an integer network, by quantize\(network\), not a float network"):
        sw.generate(way.network, tmp_path / "build")
    with pytest.raises(TypeError, match="must be an integer network, or the path of one, not int"):
        sw.generate(3, tmp_path / "build")
    with pytest.raises(TypeError, match="must be a network, or the path of one, not int"):
        sw.evaluate(3, way.test)
    assert not (tmp_path / "build").exists()


# ---- training


def test_train_a_network_built_from_its_layers(tmp_path: Path) -> None:
    network = small_network(density=0.5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trained = sw.train(network, random_data(), tmp_path / "run", epochs=2, lr=0.01, keep="last")
    assert trained.epochs == 2
    assert [entry["epoch"] for entry in trained.history] == [1, 2]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    start = sw.load_network(tmp_path / "run" / "start.safetensors").state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in start.items())
    # Few small steps from these weights: it began with them.
    weight, old = trained.network.state_dict()["layers.0.weight"], before["layers.0.weight"]
    assert 0 < float((weight - old).abs().max()) < 0.1
    assert sw.quantize(trained.network).spec.inputs == 10


def test_a_training_of_a_network_is_resumed_with_its_weights_alone(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"out": tmp_path / "run", "epochs": 1, "settings": {"training.batch": 16}}
    first = sw.train(small_network(), random_data(), **settings)
    again = sw.train(small_network(), random_data(), **settings)
    assert again.report == first.report
    other = small_network()
    with torch.no_grad():
        other.readout.bias.add_(1.0)
    with pytest.raises(sw.InputError, match="must hold a training that began with these weights, not others"):
        sw.train(other, random_data(), **settings)
    restarted = sw.train(other, random_data(), **settings, resume=False)
    assert float(restarted.network.state_dict()["readout.bias"].min()) > 0.5


def test_a_training_without_a_folder_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trained = sw.train(way.config, way.data, epochs=1, optimizer="adam", validation_speakers=(1,))
    assert trained.checkpoint is None
    assert trained.network.recipe is not None
    assert trained.network.recipe.training.validation_speakers == (1,)
    assert len(trained.history) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_training_for_tensorboard_needs_a_folder(way: Way) -> None:
    with pytest.raises(sw.InputError, match=r"^out must be given with tensorboard, not left out$"):
        sw.train(way.config, way.data, tensorboard=True)


def test_what_does_not_fit_is_said_with_both_shapes() -> None:
    network = small_network()
    for call in (sw.evaluate, sw.train):
        with pytest.raises(sw.InputError, match=r"\(samples, 12 steps, 10 channels\), not \(30, 9, 10\)$"):
            call(network, random_data(steps=9))
    with pytest.raises(sw.InputError, match=r"^values must be \(samples, 12 steps, 10 channels\), not \(10, 12\)$"):
        network(torch.zeros(10, 12))
    with pytest.raises(sw.InputError, match="^data: labels must be below 2, the classes of the network, not 2$"):
        sw.evaluate(sw.build_network([4], inputs=10, classes=2, timesteps=12), random_data())
    with pytest.raises(sw.InputError, match="must name a setting such as training.epochs, not 'epoch'"):
        sw.train(network, random_data(), epoch=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"density": 0.0}, "density must be above 0 and at most 1, not 0.0"),
        ({"readout_tau": 0.5}, "readout_tau must be at least 1 step, not 0.5"),
    ],
)
def test_build_network_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.InputError) as caught:
        small_network(**settings)
    assert str(caught.value) == message


def test_build_network_names_an_unknown_setting() -> None:
    with pytest.raises(sw.InputError, match=r"^setting must be one of density, seed, layers, inputs, .*, not tau$"):
        small_network(tau=2.0)


@pytest.mark.parametrize("layers", [32, [32.0], [{"neurons": 32}], "mine.toml"])
def test_build_network_says_what_layers_are(layers: Any) -> None:
    with pytest.raises(sw.InputError, match="^layers? must be a .*LayerConfig or (a number|numbers) of neurons, not "):
        sw.build_network(layers)


def test_nearly_a_setting_is_suggested() -> None:
    with pytest.raises(sw.InputError, match="not densitiy; did you mean density\\?$"):
        small_network(densitiy=0.3)


def test_train_names_what_it_takes() -> None:
    with pytest.raises(sw.InputError, match=r"^data must be a folder, 'sample' or SpikeData\(counts, labels\), not a "):
        sw.train(small_network(), (np.zeros((2, 12, 10)), np.zeros(2)))
    with pytest.raises(sw.InputError, match="^network must be by build_network or load_network, not a Linear: "):
        sw.train(torch.nn.Linear(3, 2), random_data())


def test_a_shipped_checkpoint_is_no_integer_network_yet(tmp_path: Path) -> None:
    with pytest.raises(sw.InputError, match="^model must be an integer network, by `spikewright quantize synth-small`"):
        sw.generate("synth-small", tmp_path / "out")


def test_a_seed_gives_the_same_network_and_leaves_the_random_numbers() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(small_network().layers[0].weight, small_network().layers[0].weight)
    assert torch.equal(torch.rand(1), expected)


# ---- the user's own samples


def test_own_samples_are_converted() -> None:
    counts = torch.ones(2, 3, 4, dtype=torch.float32)
    data = sw.SpikeData(counts, [0, 2])
    assert data.counts.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert data.speakers.tolist() == [-1, -1]
    assert data.keys == ("0", "1", "2")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros((2, 3)), r"counts must be (samples, steps, channels), not (2, 3)"),
        (np.full((2, 3, 4), 0.5), "counts must be whole numbers of 0 .. 255, not 0.5"),
        (np.full((2, 3, 4), 256), "counts must be whole numbers of 0 .. 255, not 256"),
        (np.full((2, 3, 4), -1.0), "counts must be whole numbers of 0 .. 255, not -1.0"),
        (np.full((2, 3, 4), np.nan), "counts must be whole numbers of 0 .. 255, not nan"),
        (np.full((2, 3, 4), "a"), "counts must be whole numbers, not <U1"),
        (np.zeros((3, 3, 4)), "labels must be one for each of the 3 samples, not of shape (2,)"),
    ],
)
def test_samples_that_are_none_are_refused(counts: Any, message: str) -> None:
    with pytest.raises(sw.InputError) as caught:
        sw.SpikeData(counts, np.array([0, 1]))
    assert str(caught.value) == message


def test_load_data_of_a_configuration() -> None:
    assert sw.load_data(network="shd-small", samples=2).counts.shape == (2, 100, 140)
    assert sw.load_data(samples=2).counts.shape == (2, 100, 140)
    with pytest.raises(sw.InputError, match="checkpoint must be a file or one of .*, not nothing"):
        sw.load_data(network="nothing")


# ---- hardware


def test_simulate_by_object_and_by_path(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(folder: Path, counts: Any, labels: Any, **options: Any) -> dict[str, Any]:
        calls.append((folder, counts.tolist(), labels.tolist()))
        return dict(SIMULATED)

    monkeypatch.setattr("spikewright_sim.runner.simulate", run)
    assert sw.simulate(way.build, way.test, samples=3).check().mismatches == 0
    sw.simulate(way.build.path, way.data, samples=3)
    assert calls[0] == calls[1]
    assert calls[0][0] == way.build.path
    assert len(calls[0][2]) == 3
    sw.simulate(way.build, way.test)
    assert len(calls[2][2]) == 20
    with pytest.raises(sw.InputError, match=r"^samples must be between 0 and 60 \(all of the data\), not 61$"):
        sw.simulate(way.build, way.test, samples=61)


def test_a_difference_fails_when_it_is_checked(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**SIMULATED, "mismatches": 4, "details": ["sample 0, layer 1, step 17, neuron 5: expected 1, got 0"]}
    monkeypatch.setattr("spikewright_sim.runner.simulate", lambda *args, **options: dict(found))
    result = sw.simulate(way.build, way.test)
    assert result.mismatches == 4
    with pytest.raises(sw.CheckFailed, match="^4 mismatches, 0 cycle mismatches; sample 0, layer 1, step 17"):
        result.check()


def test_a_missed_clock_fails_when_it_is_checked(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikewright_boards.flow.bitstream import TimingMissed

    def synthesize(build_dir: Path, board: str, **options: Any) -> dict[str, Any]:
        assert build_dir == way.build.path
        if board == "icebreaker":
            raise TimingMissed("icebreaker must reach 12 MHz, not 11.5 MHz", SYNTHESIZED)
        return SYNTHESIZED

    monkeypatch.setattr("spikewright_boards.flow.bitstream.synthesize", synthesize)
    assert sw.synth(way.build, "ulx3s-85f").check().luts == 4000
    missed = sw.synth(way.build, board="icebreaker")
    assert missed.fmax_mhz == 11.5
    with pytest.raises(sw.CheckFailed, match="^icebreaker must reach 12 MHz, not 11.5 MHz$"):
        missed.check()


def test_options_without_a_meaning_are_refused(way: Way, tmp_path: Path) -> None:
    for options in ({"margin": 0.5}, {"room_for": [way.model]}):
        with pytest.raises(sw.InputError, match=f"^{next(iter(options))} must be left out without weights='loadable'$"):
            sw.generate(way.model, tmp_path / "build", **options)
    with pytest.raises(sw.InputError, match="^weights must be fixed or loadable, not 'flash'$"):
        sw.generate(way.model, tmp_path / "build", weights="flash")


def test_a_core_to_load_with_room_for_an_object(way: Way, tmp_path: Path) -> None:
    built = sw.generate(way.model, tmp_path / "build", weights="loadable", margin=0.5, room_for=[way.model.spec])
    assert built.load["bytes"] == (built.path / "weights.bin").stat().st_size


def test_explore_by_object(way: Way) -> None:
    found = sw.explore(way.model, way.test, samples=4)
    assert found.samples == 4
    assert {point["weight_bits"] for point in found.points} == {6}
    assert found.front
    assert all(point["fits"] and point["front"] for point in found.front)
    both = sw.explore(way.network, way.test, samples=2, weight_bits=[8, 4])
    assert {point["weight_bits"] for point in both.points} == {8, 4}
    with pytest.raises(sw.InputError, match="^weight_bits must be left out for an integer network"):
        sw.explore(way.model, way.test, weight_bits=[4])


# ---- what objects show of themselves


def test_every_object_shows_itself_in_a_few_lines(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    details = [f"sample {i}, layer 1, step 17, neuron 5: expected <1>, got 0" for i in range(20)]
    found = {**SIMULATED, "mismatches": 20, "details": details}
    monkeypatch.setattr("spikewright_sim.runner.simulate", lambda *args, **options: dict(found))
    values = torch.from_numpy(way.test.counts[:2])
    groups = [sw.parameter_groups(way.network, sw.L1(0.01)) for _ in range(2)]
    objects = [
        *(way.network, way.model, way.model.spec, way.model.spec.layers[0], way.test, way.training, way.build),
        *(sw.AdaBreg(groups[0]), sw.LinBreg(groups[1]), way.network.run(values), way.model.run(values)),
        *(sw.evaluate(way.model, way.test), sw.explore(way.model, way.test, samples=1)),
        *(sw.simulate(way.build, way.test), sw.build_network([3] * 20)),
    ]
    for thing in objects:
        lines = repr(thing).splitlines()
        assert 1 <= len(lines) <= 10, lines
        assert type(thing).__name__ in lines[0]
        assert all(len(line) < 160 for line in lines), lines
        html = thing._repr_html_()
        assert html.count("<tr>") == html.count("</tr>") == len(thing.facts())
        assert "<1>" not in html
    assert repr(objects[-1]).splitlines()[-1] == "  ... and 13 more"
    assert repr(way.test).splitlines() == [
        "SpikeData: 60 samples of 12 steps, 10 channels",
        "  classes            3: 0, 1, 2",
        f"  spikes per sample  {way.test.counts.sum() / 60:.0f} on average",
        f"  largest count      {way.test.counts.max()}",
    ]


def test_a_result_has_its_facts_as_attributes(way: Way) -> None:
    found = sw.evaluate(way.model, way.test)
    assert dict(found) == found.report
    assert "firing_rate" in found.layers[0]
    assert {"accuracy", "check"} <= set(dir(found))
    with pytest.raises(AttributeError, match="^Evaluation has samples, accuracy, sparsity, layers, and no acuracy$"):
        _ = found.acuracy


# ---- optimizers for any module


def test_parameter_groups_regularize_the_weights_alone() -> None:
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 2), torch.nn.BatchNorm1d(3), torch.nn.Linear(4, 5))
    weights, rest = sw.parameter_groups(module, reg := sw.L1(0.02))
    assert [p.dim() for p in weights["params"]] == [3, 2]
    assert weights["reg"] is reg
    assert [p.dim() for p in rest["params"]] == [1, 1, 1, 1]
    assert "reg" not in rest
    module[0].requires_grad_(False)
    assert [p.dim() for p in sw.parameter_groups(module, reg)[0]["params"]] == [2]
    with pytest.raises(sw.InputError, match=r"two or more dimensions, not none \(BatchNorm1d\)$"):
        sw.parameter_groups(module[1], reg)


def test_parameter_groups_of_a_spiking_network() -> None:
    network = small_network()
    weights, delays, rest = sw.parameter_groups(network, sw.L1(0.02), lr_delays=0.5)
    assert len(weights["params"]) == len(network.weight_matrices())
    assert delays["lr"] == 0.5
    assert [id(p) for p in delays["params"]] == [id(p) for p in network.delay_parameters().values()]
    every = [id(p) for group in (weights, delays, rest) for p in group["params"]]
    assert sorted(every) == sorted(id(p) for p in network.parameters())


def test_digits_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("spikewright.data.synth.synth", lambda out, **options: calls.append((out, options)))
    assert sw.make_digits(tmp_path / "digits", samples_per_class=2) == tmp_path / "digits"
    assert calls == [(tmp_path / "digits", {"samples_per_class": 2, "seed": 0})]
