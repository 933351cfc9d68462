"""Where the block RAMs of the lanes go."""

from spikewright.contract.devices import DEVICES, BlockRamSites
from spikewright_boards.flow.floorplan import floorplan

SITES = BlockRamSites(columns=(1, 3, 5, 7, 12, 14, 16, 18), rows=(10, 20), name="X{column}/Y{row}/EBR{nth}")


def names(lanes: int, blocks: int) -> list[str]:
    return [f"core.layer{layer}.lane{lane}.rom.0.{layer}" for layer in range(blocks) for lane in range(lanes)]


def test_lanes_of_all_layers_lie_together_in_order_all_over_the_device() -> None:
    plan = floorplan([*names(6, 2), "core.fetch.rom.0.0", "bridge.queue.0.0"], SITES)
    assert list(plan)[:4] == [
        "core.layer0.lane0.rom.0.0",
        "core.layer1.lane0.rom.0.1",
        "core.layer0.lane1.rom.0.0",
        "core.layer1.lane1.rom.0.1",
    ]
    # Three lanes in a row, of whose eight sites they take six.
    assert list(plan.values())[:6] == [
        *("X1/Y10/EBR0", "X3/Y10/EBR1", "X5/Y10/EBR2", "X12/Y10/EBR0", "X14/Y10/EBR1", "X16/Y10/EBR2"),
    ]
    assert [site.split("/")[1] for site in plan.values()] == ["Y10"] * 6 + ["Y20"] * 6
    assert len(set(plan.values())) == 12


def test_lanes_are_in_the_order_of_their_numbers() -> None:
    plan = floorplan(names(12, 1), SITES)
    assert [name.split(".")[2] for name in plan] == [f"lane{lane}" for lane in range(12)]


def test_few_block_rams_are_left_to_nextpnr() -> None:
    assert len(floorplan(names(4, 2), SITES)) == 8
    assert not floorplan(names(7, 1), SITES)
    assert not floorplan(["bridge.queue.0.0"] * 16, SITES)


def test_lanes_that_do_not_fit_into_rows_are_left_to_nextpnr() -> None:
    assert not floorplan(names(3, 5), SITES)


def test_devices_have_as_many_sites_as_block_rams() -> None:
    for device in DEVICES.values():
        if device.sites is not None:
            assert len(device.sites.columns) * len(device.sites.rows) == device.brams
