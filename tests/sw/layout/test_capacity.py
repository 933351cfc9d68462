import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from random_networks import SOFT, TAU_2, random_network
from spikewright.contract.capacity import LayerCapacity
from spikewright.contract.cores import CORES
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.names import LAYERS, Layers
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout.capacity import Capacity, capacity_for, capacity_of, check_shape, pack_into
from spikewright.layout.pack import pack, unpack

LOADED = [kind for kind in LAYERS if CORES[kind].encodes]
SHAPE: dict[str, Any] = {"sizes": (12, 9, 7, 5), "recurrent": (False, True)}


def network(seed: int = 1, **options: Any) -> NetworkSpec:
    return random_network(seed, **{**SHAPE, **options})


def test_without_a_margin_the_widths_are_those_of_a_fixed_core() -> None:
    spec = network()
    fixed = pack(spec, 4)
    loadable = pack_into(spec, 4, capacity_for([spec], 4))
    assert loadable.loadable
    assert not fixed.loadable
    assert loadable.score_bits == fixed.score_bits
    for index, (a, b) in enumerate(zip(fixed.layers, loadable.layers, strict=True)):
        assert fixed.state_bits(index) == loadable.state_bits(index)
        for name in ("offset_bits", "length_bits", "threshold_bits", "bias_bits"):
            assert getattr(a, name) == getattr(b, name), name
        for name, plan in a.plans.items():
            held = b.plans[name]
            assert (plan.entries, plan.slots, plan.ring_words) == (held.entries, held.slots, held.ring_words)
    assert capacity_of(loadable) == capacity_for([spec], 4)


@pytest.mark.parametrize("kind", LOADED)
def test_floors_that_are_thresholds_have_room_beside_others(kind: Layers) -> None:
    high = network(floor="threshold")
    floors = [None if layer.floor is None else layer.floor * 0 - 1 for layer in high.layers]
    layers = (replace(layer, floor=floor) for layer, floor in zip(high.layers, floors, strict=True))
    low = replace(high, layers=tuple(layers))
    capacity = capacity_for([low, high], 2, layers=kind)
    limits = capacity.named.values()
    deepest = max(-int(layer.floor.min()) for layer in (*low.layers, *high.layers) if layer.floor is not None)
    assert deepest < 1 << max(limit.floor_bits for limit in limits)
    pack_into(high, 2, capacity)


def test_a_margin_enlarges_what_was_learned_up_to_what_makes_sense() -> None:
    spec = network()
    exact, half, huge = (capacity_for([spec], 4, margin) for margin in (0, 0.5, 100))
    for a, b, c, layer in zip(exact.layers, half.layers, huge.layers, spec.layers, strict=True):
        rows = -(-layer.neurons // a.lanes)
        assert b.synapses == -(-3 * a.synapses // 2)
        assert c.synapses == rows * layer.axons
        assert c.run == rows
        assert c.entries == (layer.neurons if layer.recurrent else 0)
        assert b.delay == -(-3 * a.delay // 2)
        # A hundred times the range takes seven bits more, or six.
        assert c.state_bits - a.state_bits in (6, 7)
        assert c.bias_bits - a.bias_bits in (6, 7)
        assert b.state_bits - a.state_bits in (0, 1)
    assert [layer.threshold_bits for layer in half.layers][-1] == 0


@pytest.mark.parametrize("layers", LOADED)
def test_layers_with_currents_have_room_for_both_states(layers: Layers) -> None:
    spec = network(current_decays=(None, Decay(3, 2)))
    fixed = pack(spec, 4, layers=layers)
    capacity = capacity_for([spec], 4, layers=layers)
    loadable = pack_into(spec, 4, capacity)
    assert [layer.membrane_bits > 0 for layer in capacity.layers] == [False, True, False]
    for index in range(3):
        assert loadable.state_bits(index) == fixed.state_bits(index)
        assert loadable.membrane_bits(index) == fixed.membrane_bits(index)
        assert loadable.states(index) == fixed.states(index)
    assert Capacity.from_dict(json.loads(json.dumps(capacity.as_dict()))) == capacity
    assert "membrane_bits" not in capacity.as_dict()["layers"][0]
    small = replace(capacity.layers[1], membrane_bits=4)
    with pytest.raises(InputError, match="^layer 1, bits of a membrane beside its current must be at most 4, not"):
        pack_into(spec, 4, replace(capacity, layers=(capacity.layers[0], small, capacity.layers[2])))
    with pytest.raises(InputError, match="^layer 1 current_decay must be 3/4, not none$"):
        check_shape(network(), spec)


@pytest.mark.parametrize("layers", LOADED)
def test_every_network_fits_a_capacity_for_all(layers: Layers) -> None:
    specs = [network(seed, density=density) for seed, density in ((1, 0.2), (2, 0.9), (3, 0.5))]
    capacity = capacity_for(specs, 4, layers=layers)
    for spec in specs:
        core = pack_into(spec, 4, capacity)
        assert [image.lanes for image in core.layers] == [layer.lanes for layer in capacity.layers]
        assert capacity_of(core) == capacity
        for image in core.memories.values():
            assert image.offset_bits >= int((image.starts - image.bases[:, None]).max()).bit_length()
        for got, expected in zip(unpack(core).layers, spec.layers, strict=True):
            np.testing.assert_array_equal(got.weights, expected.weights)


def test_what_layers_that_share_lanes_have_in_common_is_of_the_engine() -> None:
    spec = network()
    fixed = pack(spec, 4, layers="shared", encoding="absolute")
    exact, half, huge = (capacity_for([spec], 4, margin, "shared") for margin in (0, 0.5, 100))
    engine = fixed.common["engine"]
    exact_engine, half_engine, huge_engine = (each.common["engine"] for each in (exact, half, huge))
    assert exact_engine.synapses == max(map(len, engine.data))
    assert exact_engine.run == engine.lengths.max()
    assert exact_engine.offset_bits == engine.offset_bits
    assert exact_engine.state_bits == max(fixed.state_bits(index) for index in range(3))
    assert exact_engine.threshold_bits == max(image.threshold_bits for image in fixed.layers)
    assert exact_engine.bias_bits == max(image.bias_bits for image in fixed.layers)
    assert half_engine.synapses == -(-3 * exact_engine.synapses // 2)
    assert huge_engine.synapses == sum(image.rows * image.spec.axons for image in fixed.layers)
    for index, (layer, image) in enumerate(zip(exact.layers, fixed.layers, strict=True)):
        assert (layer.synapses, layer.run, layer.threshold_bits, layer.bias_bits, layer.offset_bits) == (0,) * 5
        assert layer.entries == (0 if image.loop is None else len(image.loop.program))
        assert layer.state_bits == fixed.state_bits(index)


@pytest.mark.parametrize(
    ("where", "changes", "message"),
    [
        ("engine", {"synapses": 9}, "engine, synapses of a lane must be at most 9, not {synapses}"),
        ("engine", {"run": 1}, "engine, synapses of an axon in a lane must be at most 1, not {run}"),
        ("engine", {"bias_bits": 1}, "engine, bits of a bias must be at most 1, not {bias_bits}"),
        ("engine", {"threshold_bits": 1}, "engine, bits of a threshold must be at most 1, not {threshold_bits}"),
        ("layer", {"entries": 2}, "layer 1, entries of the program of delays must be at most 2, not {entries}"),
        ("layer", {"state_bits": 4}, "layer 1, bits of a membrane must be at most 4, not {state_bits}"),
    ],
)
def test_what_does_not_fit_shared_lanes_is_named(where: str, changes: dict[str, int], message: str) -> None:
    spec = network()
    capacity = capacity_for([spec], 4, layers="shared")
    first, second, last = capacity.layers
    if where == "engine":
        limit = capacity.common["engine"]
        smaller = replace(capacity, common={"engine": replace(limit, **changes)})
    else:
        limit, smaller = second, replace(capacity, layers=(first, replace(second, **changes), last))
    with pytest.raises(InputError) as error:
        pack_into(spec, 4, smaller)
    assert str(error.value) == message.format(**asdict(limit))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"synapses": 3}, "layer 1, synapses of a lane must be at most 3, not {synapses}"),
        ({"run": 0}, "layer 1, synapses of an axon in a lane must be at most 0, not {run}"),
        ({"entries": 2}, "layer 1, entries of the program of delays must be at most 2, not {entries}"),
        ({"delay": 1}, "layer 1, longest delay must be at most 1, not {delay}"),
        ({"threshold_bits": 2}, "layer 1, bits of a threshold must be at most 2, not {threshold_bits}"),
        ({"bias_bits": 1}, "layer 1, bits of a bias must be at most 1, not {bias_bits}"),
        ({"state_bits": 4}, "layer 1, bits of a membrane must be at most 4, not {state_bits}"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, int], message: str) -> None:
    spec = network()
    capacity = capacity_for([spec], 4)
    first, second, last = capacity.layers
    smaller = replace(capacity, layers=(first, replace(second, **changes), last))
    with pytest.raises(InputError) as error:
        pack_into(spec, 4, smaller)
    assert str(error.value) == message.format(**asdict(second))


def test_scores_and_layers_that_do_not_fit() -> None:
    spec = network()
    capacity = capacity_for([spec], 4)
    with pytest.raises(InputError) as error:
        pack_into(spec, 4, replace(capacity, score_bits=5))
    assert str(error.value) == f"bits of a score must be at most 5, not {capacity.score_bits}"
    with pytest.raises(InputError) as error:
        pack_into(spec, 4, replace(capacity, layers=capacity.layers[:2]))
    assert str(error.value) == "capacity must have 3 layers, not 2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (12, 9, 8, 5)}, "network must be 12-9-7-5, not 12-9-8-5"),
        ({"timesteps": 21}, "timesteps must be 20, not 21"),
        ({"recurrent": (True,)}, "layer 0 recurrent must be false, not true"),
        ({"decay": TAU_2}, "layer 0 decay must be 3/64, not 1/2"),
        ({"neuron": SOFT}, "layer 0 reset must be hard, not soft"),
        ({"neuron": IntegerLIF(strict=True)}, "layer 0 strict must be false, not true"),
        ({"weight_bits": 7}, "layer 0 weight_bits must be 8, not 7"),
        ({"weight_shift": 1}, "layer 0 weight_shift must be 0, not 1"),
        ({"value_bits": 2}, "layer 0 value_bits must be 3, not 2"),
    ],
)
def test_what_is_wired_must_be_equal(options: dict[str, Any], message: str) -> None:
    check_shape(network(2), network(1))
    with pytest.raises(InputError) as error:
        check_shape(network(2, **options), network(1))
    assert str(error.value) == message


def test_a_read_out_has_no_reset() -> None:
    spec = network()
    changed = replace(spec, layers=(*spec.layers[:-1], replace(spec.layers[-1], neuron=SOFT)))
    check_shape(changed, spec)


@pytest.mark.parametrize("layers", LOADED)
def test_survives_a_file(layers: Layers) -> None:
    capacity = capacity_for([network()], 4, 0.1, layers)
    assert Capacity.from_dict(json.loads(json.dumps(capacity.as_dict()))) == capacity


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "capacity must be an object with a list of layers, not None"),
        ({"layers": []}, "capacity must be an object with a list of layers, not {'layers': [], 'score_bits': 9}"),
        ({"score_bits": "9"}, "capacity: score_bits must be 0 .. 64, not '9'"),
        ({"lanes": 3}, "capacity of layer 0: lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 3"),
        ({"synapses": 1 << 40}, "capacity of layer 0: synapses must be 0 .. 16777216, not 1099511627776"),
        ({"delay": -1}, "capacity of layer 0: delay must be 0 .. 4095, not -1"),
        ({"engine": 3}, "capacity of engine must be an object, not 3"),
        ({"engine": {"lanes": 4}}, "capacity of engine: synapses must be 0 .. 16777216, not None"),
        ({"state_bits": None}, "capacity of layer 0: state_bits must be 0 .. 64, not None"),
    ],
)
def test_damaged_files_are_named(change: dict[str, Any] | None, message: str) -> None:
    capacity = Capacity((LayerCapacity(4, 9, 3, 0, 0, 8, 8, 12, 2),), 9)
    value: Any = capacity.as_dict()
    if change is None:
        value = None
    elif set(change) <= {*value, "engine"}:
        value |= change
    else:
        value["layers"][0] |= change
    with pytest.raises(InputError) as error:
        Capacity.from_dict(value)
    assert str(error.value) == message
