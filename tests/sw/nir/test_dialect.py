"""Dialects: data that is checked, and what they leave open."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nir_files import li, path_of, ports, recurrent, write
from spikewright.contract.errors import InputError
from spikewright.nir.dialect import Dialect, from_dict, load_dialect, shipped
from spikewright.nir.load import import_nir


def test_there_is_one_for_each_library() -> None:
    assert sorted(shipped()) == [
        "norse-1.1",
        "rockpool-3.1",
        "sinabs-3.1",
        "snntorch-1.0",
        "spikewright-1",
        "spikingjelly-2.0",
        "spyx-1.0",
    ]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_each_is_read_by_its_name_and_tells_its_evidence(name: str) -> None:
    assert load_dialect(name.rpartition("-")[0]) == load_dialect(name)
    content = json.loads(shipped()[name].read_text())
    assert content["evidence"]
    assert content["version"].startswith(name.rpartition("-")[2])


def test_what_is_said_for_a_node_goes_before_what_is_said_for_all() -> None:
    content = {
        "dialect": {"dt": 1, "cmp": ">", "reset": "sub"},
        "per_type": {"IF": {"dt": 2}},
        "per_node": {"a": {"dt": 3}},
    }
    dialect = from_dict("test", content, {"dt": "4", "b.dt": "5", "reset": "none"})
    assert dialect.rule("dt", "a", "IF") == (3, "dialect")
    assert dialect.rule("dt", "c", "IF") == (2, "dialect")
    assert dialect.rule("dt", "c", "LIF") == (4, "--set")
    assert dialect.rule("dt", "b", "IF") == (5, "--set")
    assert dialect.rule("cmp", "a", "IF") == (">", "dialect")
    assert dialect.rule("reset", "a", "IF") == ("none", "--set")
    assert dialect.rule("decay", "a", "IF") == ("euler", "assumed")
    assert from_dict(**dialect.to_dict()) == dialect


def test_a_node_may_have_points_in_its_name() -> None:
    assert from_dict("t", {"dialect": {}}, {"lif1.lif.reset": "zero"}).node_settings == {"lif1.lif": {"reset": "zero"}}


def test_what_is_left_open_is_asked_for_with_its_choices() -> None:
    with pytest.raises(InputError) as raised:
        load_dialect("snntorch").rule("reset", "lif1", "LIF")
    assert str(raised.value).startswith(
        "node 'lif1': reset is not in the file and must be given by --set reset=VALUE or --set lif1.reset=VALUE: "
        "sub_delayed (reset_mechanism='subtract', the default"
    )
    with pytest.raises(InputError, match="node 'n': cmp must be given by --set cmp=VALUE .*: > or >="):
        Dialect("bare", {}).rule("cmp", "n", "LIF")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "dialect must be given, an object of rules, not left out"),
        ({"dialect": 3}, "dialect must be an object, not 3"),
        ({"dialect": {"dtt": 1}}, "dialect.dtt must be one of dt, decay, .*, not an unknown rule"),
        ({"dialect": {"dt": 0}}, "dialect.dt must be seconds of a step, above 0, not 0"),
        ({"dialect": {"dt": True}}, "dialect.dt must be seconds of a step, above 0, not True"),
        ({"dialect": {"reset": "hard"}}, "dialect.reset must be one of zero, sub, .*, not 'hard'"),
        ({"dialect": {"latency": 1.5}}, "dialect.latency must be 0 .. 4095 steps, not 1.5"),
        ({"dialect": {}, "per_node": {"a": {"cmp": "=="}}}, "per_node.a.cmp must be > or >=, not '=='"),
        ({"dialect": {}, "per_node": {"a": 1}}, "per_node.a must be an object, not 1"),
        ({"dialect": {}, "tau_steps": [1]}, r"tau_steps must be two numbers, not \[1\]"),
        ({"dialect": {}, "choices": {"rest": {}}}, "choices.rest must be an object of the values of one of .*"),
    ],
)
def test_a_wrong_dialect_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"^dialect {path}: {message}$"):
        load_dialect(path)


def test_a_dialect_may_hold_more_than_rules_even_what_json_has_not(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text('{"dialect": {"dt": 0.001}, "min_margin": Infinity, "facts": []}')
    assert load_dialect(tmp_path / "about.json").rules == {"dt": 0.001}
    (tmp_path / "dt.json").write_text('{"dialect": {"dt": NaN}}')
    with pytest.raises(InputError, match="dialect.dt must be seconds of a step, above 0, not nan"):
        load_dialect(tmp_path / "dt.json")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rest": "zero"}, "--set rest must end with one of dt, .*, not 'rest'"),
        ({"lif.precision": "float32"}, "--set lif.precision must end with one of .*, not 'precision'"),
        ({"reset": "hard"}, "--set reset must be one of zero, .*, not 'hard'"),
        ({"dt": "-1"}, "--set dt must be seconds of a step, above 0, not '-1'"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        load_dialect("snntorch", settings)


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(InputError, match="dialect must be a JSON file or one of norse-1.1, .*, not brian"):
        load_dialect("brian")


def test_a_rule_for_no_node_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", *recurrent())
    with pytest.raises(InputError, match=r"net.nir: --set must name a neuron of the file \(lif, li\), not 'fc'"):
        import_nir(path, "snntorch", {"reset": "zero", "fc.reset": "none"})


def test_taus_that_a_library_does_not_write_ask_for_dt(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    nodes["li"]["tau"] *= 5
    path = write(tmp_path / "net.nir", nodes, edges)
    with pytest.raises(InputError) as raised:
        import_nir(path, "norse")
    assert str(raised.value) == (
        f"{path}: node 'li': tau must be 1 .. 1000 steps of dt 1e-06 s in the dialect norse-1.1, not 5000: "
        "to_nir writes tau times its dt, 0.001 by default, so dt is 1e-06 here; with true taus give --set dt=0.001"
    )
    assert import_nir(path, "norse", {"dt": "1e-4"}).layers[0].rule is not None


def test_without_a_dialect_the_choices_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", *recurrent())
    with pytest.raises(InputError) as raised:
        import_nir(path)
    assert str(raised.value) == (
        f"{path}: dialect must be a JSON file or one of norse-1.1, rockpool-3.1, sinabs-3.1, snntorch-1.0, "
        "spikewright-1, spikingjelly-2.0, spyx-1.0: dt, cmp and reset of node 'lif' are not in the file"
    )


def spikes_of(path: Path, dialect: str, nodes: dict[str, Any], x: Any) -> Any:
    """Spikes (T, N) and membranes of the last node for inputs (T, N), of nodes in a row."""
    ends = ports((x.shape[1],), (x.shape[1],))
    written = write(path / "net.nir", {**ends, **nodes}, path_of("input", *nodes, "output"))
    trace = import_nir(written, dialect).run(torch.from_numpy(x)[None])
    last = list(nodes)[-1]
    return None if last not in trace.spikes else trace.spikes[last][0].numpy(), trace.membranes[last][0].numpy()


def test_neurons_of_spyx_that_differ_from_its_lif(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(0.3, 1.0, (40, 3))
    alpha, beta, threshold = 0.4, 0.7, 0.8
    current = v = np.zeros(3)
    cuba, psu = [], []
    for row in x:  # spyx.nn.CuBaLIF
        cuba.append(v > threshold)
        v = v - cuba[-1] * threshold
        current = alpha * current + row
        v = beta * v + current
    constants = {"tau_mem": 1 / (1 - beta), "tau_syn": 1 / (1 - alpha), "r": beta, "v_leak": 0.0}
    full = {name: np.full(3, value) for name, value in {**constants, "v_threshold": threshold}.items()}
    found, _ = spikes_of(tmp_path, "spyx", {"n": {"type": "CubaLIF", **full}}, x)
    assert 10 < np.sum(cuba) < 110
    assert np.array_equal(found, cuba)
    v = np.zeros(3)
    for row in x:  # spyx.nn.PSU_LIF
        v = beta * v + row
        psu.append(v > threshold)
    compared = {"type": "Threshold", "threshold": np.full(3, threshold)}
    found, _ = spikes_of(tmp_path, "spyx", {"n": li(3, 1 / (1 - beta), 1.0), "n_threshold": compared}, x)
    assert np.array_equal(found, psu)


def test_currents_of_rockpool_leak_in_the_step_in_which_they_come(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    tau = np.array([0.01, 0.02, 0.05])
    beta = np.exp(-0.001 / tau)
    current, expected = np.zeros(3), []
    for row in x:  # rockpool.nn.modules.torch.ExpSynTorch
        current = (current + row) * beta
        expected.append(current)
    _, found = spikes_of(tmp_path, "rockpool", {"n": {**li(3), "tau": tau, "r": tau * beta / 0.001}}, x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_pool_that_spyx_pads_is_refused(tmp_path: Path) -> None:
    pool = {"type": "SumPool2d", "kernel_size": 2, "stride": 2, "padding": 1}
    nodes = {**ports((1, 3, 3), (1, 2, 2)), "p": pool, "n": {"type": "IF", "r": np.ones(1), "v_threshold": np.ones(1)}}
    nodes["n"] = {name: value if name == "type" else np.ones((1, 2, 2)) for name, value in nodes["n"].items()}
    path = write(tmp_path / "net.nir", nodes, path_of("input", "p", "n", "output"))
    with pytest.raises(
        InputError, match=r"net.nir: node 'p': padding must be 0 in the dialect spyx-1.0, not \(1, 1\): "
    ):
        import_nir(path, "spyx")
    import_nir(path, "spyx", {"pool_padding": "true"})
