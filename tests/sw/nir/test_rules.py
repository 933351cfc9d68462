"""Each reset, against the formulas by which the libraries themselves compute it, in plain numbers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from spikewright.contract.errors import InputError
from spikewright.nir.dialect import from_dict
from spikewright.nir.nodes import Neuron, read_node
from spikewright.nir.rules import RESETS, Neurons, constants_of, first_state, neurons_of, rule_of, step

BETA, ALPHA, THRESHOLD = 0.8, 0.5, 1.0


def snntorch_subtract(u: float, mem: float, spk: float) -> float:
    return u - (mem > THRESHOLD) * THRESHOLD


def snntorch_zero(u: float, mem: float, spk: float) -> float:
    return u - (mem > THRESHOLD) * u


def run_snntorch(
    x: list[float], late: Callable[[float, float, float], float], delay: bool, zero: bool
) -> tuple[list[float], list[float]]:
    """RLeaky of snnTorch without weights: `_base_sub` or `_base_zero`, then what `reset_delay=False` adds."""
    mem, spikes, membranes = 0.0, [], []
    for value in x:
        reset = float(mem > THRESHOLD)
        mem = late(BETA * mem + value, mem, reset)
        spk = float(mem > THRESHOLD)
        if not delay:
            do_reset = spk - reset
            mem = mem - do_reset * (mem if zero else THRESHOLD)
        spikes.append(spk)
        membranes.append(mem)
    return spikes, membranes


def run_ours(x: list[float], reset: str, **changed: object) -> tuple[list[float], list[float]]:
    def one(value: float) -> torch.Tensor:
        return torch.full((1,), value, dtype=torch.float64)

    values: dict[str, object] = {
        "leak": one(BETA),
        "rest": one(0.0),
        "gain": one(1.0),
        "start": one(0.0),
        "threshold": one(THRESHOLD),
        "v_reset": one(0.0),
        "syn_leak": None,
        "syn_gain": None,
        "strict": True,
        "several": False,
        "most": None,
        "v_min": None,
    }
    values.update(
        {key: one(value) if isinstance(value, float) and key != "v_min" else value for key, value in changed.items()}
    )
    neurons = Neurons(**values, reset=reset)  # type: ignore[arg-type]
    state = first_state(neurons, torch.zeros(1, 1, dtype=torch.float64))
    spikes, membranes = [], []
    for value in x:
        state = step(torch.full((1, 1), value, dtype=torch.float64), state, neurons)
        spikes.append(float(state[2]))
        membranes.append(float(state[0]))
    return spikes, membranes


@pytest.fixture
def x() -> list[float]:
    draw = np.random.default_rng(1)
    return [float(value) for value in draw.normal(0.4, 0.8, 300)]


@pytest.mark.parametrize(
    ("reset", "late", "delay", "zero"),
    [
        ("sub_delayed", snntorch_subtract, True, False),
        ("snn_sub_nodelay", snntorch_subtract, False, False),
        ("zero_after", snntorch_zero, True, True),
        ("zero", snntorch_zero, False, True),
    ],
)
def test_resets_of_snntorch(x: list[float], reset: str, late: Callable[..., float], delay: bool, zero: bool) -> None:
    spikes, membranes = run_snntorch(x, late, delay, zero)
    assert 30 < sum(spikes) < 270
    ours = run_ours(x, reset)
    assert ours[0] == spikes
    assert ours[1] == pytest.approx(membranes, abs=1e-12)


def test_zero_before_the_next_step_fires_as_zero_at_once(x: list[float]) -> None:
    assert run_ours(x, "zero_before")[0] == run_ours(x, "zero")[0]
    assert run_ours(x, "zero_before")[1] != run_ours(x, "zero")[1]


def test_no_reset_leaves_the_membrane_above(x: list[float]) -> None:
    v, expected = 0.0, []
    for value in x:
        v = BETA * v + value
        expected.append(v)
    spikes, membranes = run_ours(x, "none")
    assert membranes == pytest.approx(expected)
    assert spikes == [float(v > THRESHOLD) for v in expected]


def test_every_reset_is_known_to_the_dialects() -> None:
    from spikewright.nir import dialect

    assert RESETS.keys() == dialect.RESETS.keys()


def test_several_spikes_are_as_many_as_the_threshold_fits() -> None:
    assert run_ours([3.5, 0.0, -9.0, 2.0], "sub", several=True, strict=False, leak=1.0) == (
        [3.0, 0.0, 0.0, 0.0],
        pytest.approx([0.5, 0.5, -8.5, -6.5]),
    )
    assert run_ours([2.0], "sub", several=True, strict=False)[0] == [2.0]
    assert run_ours([2.0], "sub", several=True, strict=True)[0] == [1.0]
    assert run_ours([9.0], "sub", several=True, strict=False, most=4) == ([4.0], [5.0])


def test_the_lower_limit_cuts_what_is_left() -> None:
    assert run_ours([-5.0, 0.5], "sub", v_min=-1.0, leak=1.0)[1] == [-1.0, -0.5]


def test_the_comparison_is_the_one_of_the_library() -> None:
    assert run_ours([1.0], "zero", strict=True)[0] == [0.0]
    assert run_ours([1.0], "zero", strict=False)[0] == [1.0]


def test_a_reset_potential_is_gone_to() -> None:
    assert run_ours([2.0], "zero", v_reset=-0.5)[1] == [-0.5]


def test_a_membrane_takes_the_current_of_its_own_step() -> None:
    _, membranes = run_ours([1.0, 0.0, 0.0], "none", syn_leak=ALPHA, syn_gain=2.0, threshold=99.0)
    assert membranes == pytest.approx([2.0, BETA * 2.0 + 1.0, BETA * (BETA * 2.0 + 1.0) + 0.5])


def neuron(kind: str, **fields: float) -> Neuron:
    node = read_node({"type": kind, **{name: np.array([value]) for name, value in fields.items()}})
    assert isinstance(node, Neuron)
    return node


def constants(node: Neuron, **rules: object) -> dict[str, float | None]:
    dialect = from_dict("test", {"dialect": {"dt": 1e-3, "cmp": ">", "reset": "zero", **rules}}, {})
    found = constants_of("n", node, rule_of("n", node, dialect)[0], dialect)
    return {name: None if value is None else float(value[0]) for name, value in vars(found).items()}


LIF = {"tau": 0.01, "r": 2.0, "v_leak": 0.5, "v_threshold": 1.0, "v_reset": 0.25}


def test_constants_by_euler() -> None:
    found = constants(neuron("LIF", **LIF))
    assert found["leak"] == pytest.approx(0.9)
    assert found["gain"] == pytest.approx(0.2)
    assert found["rest"] == pytest.approx(0.05)
    assert (found["start"], found["threshold"], found["v_reset"]) == (0.0, 1.0, 0.25)


def test_constants_by_the_exponential() -> None:
    found = constants(neuron("LIF", **LIF), decay="exp", gain="one", v0="v_leak")
    assert found["leak"] == pytest.approx(np.exp(-0.1))
    assert (found["gain"], found["start"]) == (1.0, 0.5)
    assert constants(neuron("LIF", **LIF), decay="exp")["gain"] == pytest.approx(2 * (1 - np.exp(-0.1)))
    assert constants(neuron("LIF", **LIF), v0="v_reset")["start"] == 0.25


def test_constants_that_a_dialect_gives() -> None:
    found = constants(neuron("LIF", **LIF), gain="leak", v_reset=-0.5, v0="v_reset")
    assert found["gain"] == found["leak"] == pytest.approx(0.9)
    assert (found["v_reset"], found["start"]) == (-0.5, -0.5)
    with pytest.raises(InputError, match="node 'n': v_reset must be below v_threshold 1, not 2"):
        constants(neuron("LIF", **LIF), v_reset=2)


@pytest.mark.parametrize("decay", ["euler", "exp"])
def test_an_infinite_tau_is_no_leak_and_tells_no_gain(decay: str) -> None:
    node = neuron("LIF", **{**LIF, "tau": np.inf, "r": np.inf})  # Leaky(beta=1) of snnTorch
    found = constants(node, decay=decay, gain="one")
    assert (found["leak"], found["gain"], found["rest"]) == (1.0, 1.0, 0.0)
    with pytest.raises(InputError, match="node 'n': tau must be finite, not inf, as gains are told by it: give --set "):
        constants(node, decay=decay)
    current = neuron("CubaLI", tau_mem=0.01, tau_syn=np.inf, r=1.0, v_leak=0.0, w_in=np.inf)
    with pytest.raises(InputError, match="tau_syn must be finite, not inf, .*: give --set gain_syn=one if they are 1"):
        constants(current)
    assert constants(current, gain_syn="one")["syn_leak"] == 1.0


def test_constants_without_a_leak() -> None:
    found = constants(neuron("IF", r=1000.0, v_threshold=1.0))
    assert (found["leak"], found["rest"], found["gain"], found["v_reset"]) == (1.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("rules", "gain"),
    [({}, 0.4), ({"gain_syn": "one"}, 1.0), ({"gain_syn": 3}, 3.0), ({"rockpool_syn": True}, 0.8)],
)
def test_constants_of_a_synaptic_current(rules: dict[str, object], gain: float) -> None:
    node = neuron("CubaLI", tau_mem=0.01, tau_syn=0.005, r=1.0, v_leak=0.0, w_in=2.0)
    found = constants(node, **rules)
    assert found["syn_leak"] == pytest.approx(0.8)
    assert found["syn_gain"] == pytest.approx(gain)
    assert found["threshold"] is None


def test_a_leak_of_zero_may_be_rounded() -> None:
    assert constants(neuron("LIF", **{**LIF, "tau": float(np.float32(1e-4))}), dt=1e-4)["leak"] == 0.0


def test_a_tau_below_the_step_is_refused_with_what_it_may_mean() -> None:
    with pytest.raises(InputError) as raised:
        constants(neuron("LIF", **{**LIF, "tau": 1e-5}))
    assert str(raised.value) == (
        "node 'n': tau must be at least dt, 0.001 s, not 1e-05 s, as 1 - dt/tau is -99: is dt another one? "
        "A file by Norse has tau times its dt (--dialect norse, or --set dt=1e-06)"
    )


def test_a_reset_potential_above_the_threshold_is_refused() -> None:
    with pytest.raises(InputError, match="node 'n': v_reset must be below v_threshold 1, not 1.5"):
        constants(neuron("LIF", **{**LIF, "v_reset": 1.5}))
    constants(neuron("LIF", **{**LIF, "v_reset": 1.5}), reset="sub")


def test_neurons_of_32_bits() -> None:
    node = neuron("LIF", **LIF)
    dialect = from_dict("test", {"dialect": {"dt": 1e-3, "cmp": ">=", "reset": "sub"}}, {})
    rule, origins = rule_of("n", node, dialect)
    made = neurons_of(constants_of("n", node, rule, dialect), rule, torch.float32)
    assert made.leak.dtype == torch.float32
    assert (made.strict, made.reset, made.syn_leak) == (False, "sub", None)
    assert (origins["cmp"], origins["decay"]) == ("dialect", "assumed")
