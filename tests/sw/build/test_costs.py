from spikewright.build.costs import memory_bits
from spikewright.contract.network import NetworkSpec
from spikewright.layout.pack import pack


def test_more_lanes_store_the_same_synapses(spec: NetworkSpec) -> None:
    # Images of the same memory in several lanes are one entry, whatever the number of lanes.
    images = {f"layer0_synapses{lane}": {"words": 3, "width": 8} for lane in range(16)}
    assert memory_bits(pack(spec, 16), images)["layer0_synapses"] == 16 * 24
