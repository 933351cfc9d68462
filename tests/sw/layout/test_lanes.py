from random_networks import random_network
from spikewright.layout.pack import pack


def test_smaller_layers_have_fewer_lanes_but_keep_up() -> None:
    core = pack(random_network(1, (20, 64, 64, 10), recurrent=(False,), density=0.5), 16)
    assert [image.lanes for image in core.layers] == [16, 16, 4]
    assert [image.rows for image in core.layers] == [4, 4, 3]
    thin = pack(random_network(1, (20, 3, 2), recurrent=(False,)), 64)
    assert [image.lanes for image in thin.layers] == [4, 2]
