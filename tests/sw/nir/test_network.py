"""Float networks of NIR files, against loops in plain numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from nir_files import affine, li, lif, path_of, ports, recurrent, write
from spikewright.contract.errors import InputError
from spikewright.nir.describe import describe, rows
from spikewright.nir.load import import_nir
from spikewright.nir.network import ForeignNetwork

Floats = npt.NDArray[np.float64]
SUBTRACT = {"reset": "sub"}


def made(
    path: Path,
    nodes: Any,
    edges: Any,
    *,
    dialect: str = "snntorch",
    timesteps: int | None = None,
    decision: str | None = None,
    **settings: str,
) -> ForeignNetwork:
    chosen = {key.replace("__", "."): value for key, value in settings.items()}
    return import_nir(write(path / "net.nir", nodes, edges), dialect, chosen, timesteps=timesteps, decision=decision)


def draw_input(timesteps: int, *shape: int, samples: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).integers(0, 3, (samples, timesteps, *shape)))


def test_a_recurrent_network_is_what_a_loop_computes(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    network = made(tmp_path, nodes, edges, reset="sub_delayed")
    x = draw_input(30, 5)
    trace = network.run(x)
    for sample in range(2):
        v, out, spikes = np.zeros(6), np.zeros(3), np.zeros(6)
        scores = np.zeros(3)
        for t in range(30):
            current = nodes["fc"]["weight"] @ x[sample, t].numpy() + nodes["fc"]["bias"]
            current = current + nodes["w_rec"]["weight"] @ spikes + nodes["w_rec"]["bias"]
            v = 0.9 * v + current - spikes
            spikes = (v > 1.0).astype(float)
            out = 0.9 * out + nodes["out"]["weight"] @ spikes
            scores += out
            np.testing.assert_array_equal(trace.spikes["lif"][sample, t].numpy(), spikes)
            np.testing.assert_allclose(trace.membranes["lif"][sample, t].numpy(), v, atol=1e-6)
            np.testing.assert_allclose(trace.membranes["li"][sample, t].numpy(), out, atol=1e-6)
        np.testing.assert_allclose(trace.scores[sample].numpy(), scores, atol=1e-5)
    assert 20 < trace.spikes["lif"].sum() < 340
    assert "li" not in trace.spikes
    assert network.assumed == ["decision: sum, the highest sum of membranes of node 'li'"]


def chained(*names: str, shape: tuple[int, ...], out: int, **nodes: Any) -> tuple[Any, Any]:
    return {**ports(shape, (out,)), **nodes}, path_of("input", *names, "output")


def test_a_delay_in_a_loop_comes_on_top_of_its_step(tmp_path: Path) -> None:
    delays = np.array([0.0, 3e-4])
    nodes, edges = chained(
        "n",
        shape=(2,),
        out=2,
        n=lif(2),
        d={"type": "Delay", "delay": delays.astype(np.float32)},
        w=affine(np.eye(2) * 0.4),
    )
    network = made(tmp_path, nodes, [*edges, *path_of("n", "d", "w", "n")], reset="zero")
    x = torch.zeros(1, 8, 2)
    x[0, 0] = 2.0
    v = network.run(x).membranes["n"][0]
    assert v[1].tolist() == pytest.approx([0.4, 0.0], abs=1e-7)  # one step after the spike
    assert v[4].tolist() == pytest.approx([0.4 * 0.9**3, 0.4], abs=1e-7)  # one and three


def test_a_delay_on_the_way_is_as_long_as_it_says(tmp_path: Path) -> None:
    delay = {"type": "Delay", "delay": np.array([0.0, 2e-4])}
    network = made(tmp_path, *chained("d", "n", shape=(2,), out=2, d=delay, n=li(2)))
    x = torch.zeros(1, 4, 2)
    x[0, 0] = 1.0
    assert network.run(x).membranes["n"][0, :, 0].tolist() == pytest.approx([1.0, 0.9, 0.81, 0.729])
    assert network.run(x).membranes["n"][0, :, 1].tolist() == pytest.approx([0.0, 0.0, 1.0, 0.9])
    assert describe(network)[0]["delay"] == [0.0, 2.0]


@pytest.mark.parametrize(("delay", "steps"), [(1.5e-4, "1.5"), (1.0, "10000")])
def test_a_delay_that_is_no_number_of_steps_is_refused(tmp_path: Path, delay: float, steps: str) -> None:
    nodes = {"d": {"type": "Delay", "delay": np.full(2, delay)}, "n": li(2)}
    with pytest.raises(InputError) as raised:
        made(tmp_path, *chained("d", "n", shape=(2,), out=2, **nodes))
    assert str(raised.value).endswith(
        f"node 'd': delay must be 0 .. 4095 whole steps of dt 0.0001 s, not {steps} steps"
    )


def test_a_neuron_may_lead_to_itself(tmp_path: Path) -> None:
    nodes, edges = chained("n", shape=(1,), out=1, n=lif(1))
    network = made(tmp_path, nodes, [*edges, ("n", "n")], reset="zero")
    x = torch.zeros(1, 3, 1)
    x[0, 0] = 2.0
    assert network.run(x).membranes["n"].flatten().tolist() == pytest.approx([0.0, 1.0, 0.9])


def test_spikes_may_be_seen_a_step_later(tmp_path: Path) -> None:
    nodes, edges = chained("a", "n", shape=(1,), out=1, a=lif(1), n=li(1))
    x = torch.zeros(1, 3, 1)
    x[0, 0] = 2.0
    trace = made(tmp_path, nodes, edges, reset="sub_delayed", latency="1").run(x)
    assert trace.spikes["a"].flatten().tolist() == [0.0, 1.0, 0.0]
    assert trace.membranes["n"].flatten().tolist() == pytest.approx([0.0, 1.0, 0.9])


def test_a_sample_starts_where_the_dialect_says(tmp_path: Path) -> None:
    nodes, edges = chained("n", shape=(1,), out=1, n={**lif(1), "v_leak": np.array([0.5]), "v_reset": np.array([0.5])})
    x = torch.zeros(1, 2, 1)
    assert made(tmp_path, nodes, edges, reset="zero", v0="v_leak").run(x).membranes["n"][0, 0] == pytest.approx(0.5)
    assert made(tmp_path, nodes, edges, reset="zero").run(x).membranes["n"][0, 0] == pytest.approx(0.05)


def test_images_are_convolved_and_pooled(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    weight, bias = draw.normal(size=(2, 1, 2, 3)), draw.normal(size=2)
    nodes = {
        **ports((1, 5, 6), (3,)),
        "c": {
            "type": "Conv2d",
            "weight": weight,
            "bias": bias,
            "stride": 1,
            "padding": np.array([1, 0]),
            "dilation": 1,
            "groups": 1,
        },
        "p": {"type": "AvgPool2d", "kernel_size": 2, "stride": 2, "padding": 0},
        "s": {"type": "Scale", "scale": np.full((2, 3, 2), 3.0)},
        "f": {"type": "Flatten", "start_dim": 0, "end_dim": -1, "input_type": np.array([2, 3, 2])},
        "w": {"type": "Linear", "weight": draw.normal(size=(3, 12))},
        "n": li(3, tau=1e-4, r=1.0),
    }
    network = made(tmp_path, nodes, path_of("input", "c", "p", "s", "f", "w", "n", "output"))
    x = draw_input(1, 1, 5, 6, samples=1)
    padded = np.pad(x[0, 0, 0].numpy(), ((1, 1), (0, 0)))
    convolved = np.array(
        [
            [[(weight[c, 0] * padded[i : i + 2, j : j + 3]).sum() + bias[c] for j in range(4)] for i in range(6)]
            for c in range(2)
        ]
    )
    pooled = convolved.reshape(2, 3, 2, 2, 2).mean(axis=(2, 4))
    expected = nodes["w"]["weight"] @ (3.0 * pooled).ravel()
    np.testing.assert_allclose(network.run(x).membranes["n"][0, 0].numpy(), expected)
    nodes["p"]["type"] = "SumPool2d"
    summed = made(tmp_path, nodes, path_of("input", "c", "p", "s", "f", "w", "n", "output")).run(x.flatten(2))
    np.testing.assert_allclose(summed.membranes["n"][0, 0].numpy(), 4 * expected)


def test_a_kernel_of_one_dimension_with_margins_of_the_same_size(tmp_path: Path) -> None:
    weight = np.array([[[1.0, 10.0, 100.0, 1000.0]]])
    convolution = {
        "type": "Conv1d",
        "weight": weight,
        "bias": np.zeros(1),
        "stride": 1,
        "padding": "same",
        "dilation": 1,
        "groups": 1,
    }
    nodes = {**ports((1, 5), (1, 5)), "c": convolution}
    network = made(tmp_path, nodes, path_of("input", "c", "output"))
    x = torch.tensor([[[[1.0, 2.0, 3.0, 4.0, 5.0]]]])
    padded = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0]
    expected = [sum(w * padded[i + k] for k, w in enumerate(weight[0, 0])) for i in range(5)]
    assert network.run(x).membranes["c"].flatten().tolist() == expected
    assert network.run(x).scores.tolist() == [expected]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_parameters_of_one_value_are_those_of_all_neurons(tmp_path: Path, shape: tuple[int, ...]) -> None:
    fields = {name: value if name == "type" else value[0].reshape(shape) for name, value in lif(1).items()}
    x = draw_input(20, 2, 3)
    for given in ((2, 3), (6,)):
        nodes = {**ports(given, given), "n": fields}
        network = made(tmp_path, nodes, path_of("input", "n", "output"), reset="sub")
        nodes["n"] = {name: value if name == "type" else np.full(given, value) for name, value in fields.items()}
        same = made(tmp_path, nodes, path_of("input", "n", "output"), reset="sub")
        assert torch.equal(network.run(x.flatten(2)).spikes["n"], same.run(x.flatten(2)).spikes["n"])
        told = "node 'n': its parameters have one value each, that of all 6"
        assert (told in network.assumed) == (shape != ())


def test_neurons_that_only_compare(tmp_path: Path) -> None:
    nodes, edges = chained(
        "t", "n", shape=(2,), out=2, t={"type": "Threshold", "threshold": np.array([1.0, 2.0])}, n=li(2)
    )
    x = torch.tensor([[[1.5, 1.5], [0.5, 2.5]]])
    assert made(tmp_path, nodes, edges).run(x).spikes["t"].tolist() == [[[1.0, 0.0], [0.0, 1.0]]]


def test_integrators_may_be_compared(tmp_path: Path) -> None:
    fields = {"a": li(1), "t": {"type": "Threshold", "threshold": np.array([1.0])}}
    nodes, edges = chained("a", "t", shape=(1,), out=1, **fields)
    trace = made(tmp_path, nodes, edges).run(torch.tensor([[[0.8], [0.8], [0.0], [0.0], [0.0]]]).double())
    assert trace.spikes["t"].flatten().tolist() == [0, 1, 1, 1, 1]
    assert trace.membranes["a"].flatten().tolist() == pytest.approx(
        [0.8 * 0.9**k + (k > 0) * 0.8 * 0.9 ** (k - 1) for k in range(5)]
    )
    with pytest.raises(InputError, match="node 'a': type must be of neurons that fire, as a layer follows it"):
        made(tmp_path, nodes, [*edges, ("t", "t")])


@pytest.mark.parametrize(
    ("decision", "scores"), [("sum", [1.7, 1.0]), ("max", [1.0, 1.0]), ("last", [0.7, 1.0]), ("count", [0.0, 0.0])]
)
def test_decisions(tmp_path: Path, decision: str, scores: list[float]) -> None:
    nodes, edges = chained("n", shape=(2,), out=2, n=lif(2))
    network = made(tmp_path, nodes, edges, decision=decision, reset="zero")
    trace = network.run(torch.tensor([[[1.0, 0.0], [-0.2, 1.0]]], dtype=torch.float64))
    assert trace.scores[0].tolist() == pytest.approx(scores)
    assert trace.classes.tolist() == [1 if decision == "last" else 0]


def test_what_cannot_be_decided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="decision must be of membranes, as node 'li' never fires, not 'count'"):
        made(tmp_path, *recurrent(), decision="count", reset="zero")
    with pytest.raises(InputError, match="decision must be one of sum, count, max, last, not 'best'"):
        made(tmp_path, *recurrent(), decision="best", reset="zero")


def test_integrators_do_not_lead_on(tmp_path: Path) -> None:
    nodes, edges = chained("a", "n", shape=(1,), out=1, a=li(1), n=li(1))
    with pytest.raises(InputError, match="node 'a': type must be of neurons that fire, as a layer follows it"):
        made(tmp_path, nodes, edges)


def test_a_shape_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    network = made(tmp_path, *recurrent(), reset="zero", timesteps=4)
    with pytest.raises(InputError, match=r"values must be \(samples, 4 steps, 5 channels\), not \(1, 3, 5\)"):
        network.run(torch.zeros(1, 3, 5))


def test_a_sample_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    network = made(tmp_path, *recurrent(), reset="zero")
    x = draw_input(20, 5, samples=3)
    together, alone = network.run(x), network.run(x[1:2])
    torch.testing.assert_close(together.membranes["lif"][1:2], alone.membranes["lif"], rtol=0, atol=1e-12)


def test_precision(tmp_path: Path) -> None:
    assert (
        made(tmp_path, *recurrent(), reset="zero", precision="float32").run(draw_input(2, 5)).scores.dtype
        == torch.float32
    )
    assert made(tmp_path, *recurrent(), reset="zero").run(draw_input(2, 5)).scores.dtype == torch.float64


def test_what_was_understood_is_told(tmp_path: Path) -> None:
    network = made(tmp_path, *recurrent(), reset="zero")
    assert rows(network) == [
        ("dialect", "snntorch-1.0"),
        ("input", "5"),
        ("fc", "Affine 6, 6x5, 0.0 % zero"),
        (
            "lif",
            "LIF 6, leak 0.9, gain 1, threshold 1, start 0, dt 0.0001 (dialect), decay euler (assumed), "
            "gain nir (assumed), cmp > (dialect), reset zero (--set)",
        ),
        ("w_rec", "Affine 6, 6x6, 0.0 % zero, loop of lif"),
        ("out", "Linear 3, 3x6, 0.0 % zero"),
        ("li", "LI 3, leak 0.9, gain 1, start 0, dt 0.0001 (dialect), decay euler (assumed), gain nir (assumed)"),
        ("assumed", "decision: sum, the highest sum of membranes of node 'li'"),
    ]
    assert describe(network)[1]["rules"]["reset"] == ["zero", "--set"]
