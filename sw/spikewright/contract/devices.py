"""Families of devices, and devices: the one place that describes them.

A board is a file of `spikewright_boards.catalog`; what the prediction needs of it is a `Board`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DEEP_ROM_WORDS = 128
"""Read-only memories of more words are priced by `Family.rom_cost`, by the estimate and by the synthesis alike."""


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """How a core is synthesized to be simulated.

    Parameters
    ----------
    options : str
        Options of yosys' synthesis command.
    cells : str
        Models of the family's cells in yosys' share folder.
    memories : str
        Where memories go.
    block_rams : str
        The cell of `cells` that is block RAM; or a file of `spikewright_sim`, if yosys has no model of it.
    instead : (label, commands, label), optional
        What is done instead of the steps of that command from the first label to the second.
    """

    options: str
    cells: str
    memories: str
    block_rams: str
    instead: tuple[str, tuple[str, ...], str] | None = None

    def commands(self, synth: str) -> str:
        """Commands for yosys, in lines, of which `synth` is the synthesis with all its options."""
        if self.instead is None:
            return synth
        first, commands, after = self.instead
        return "\n".join((f"{synth} -run begin:{first}", *commands, f"{synth} -run {after}:"))


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How a core becomes a bitstream.

    Parameters
    ----------
    options : str
        Options of yosys' synthesis command, besides those of the device.
    block_rams : str
        Description of the block RAM in yosys' share folder, where deep read-only memories shall use more of them than
        yosys would; empty otherwise.
    nextpnr, pack : str
        Tools.
    pack_options : tuple of str
        Options of the packer; the names of its input and output are put in for `{layout}` and `{bitstream}`, that of
        the device for `{package}`.
    route : tuple of str
        Options of nextpnr's router.
    constraints, layout : (option of nextpnr, suffix of the file)
    constraints_prefix : str
        What the value of that option begins with, in front of the file's name.
    frequency : bool
        The file of constraints says nothing of the clock, so that nextpnr is told.
    bitstream : str
        Suffix of the file.
    luts, ffs, brams, dsps : str
        Names in the report of nextpnr; an empty one is counted in the netlist.
    sprams : str
        Cell of the large memories with a single port; empty where the device has none.
    """

    options: str
    block_rams: str
    nextpnr: str
    pack: str
    pack_options: tuple[str, ...]
    route: tuple[str, ...]
    constraints: tuple[str, str]
    layout: tuple[str, str]
    bitstream: str
    luts: str
    ffs: str
    brams: str
    dsps: str
    sprams: str = ""
    constraints_prefix: str = ""
    frequency: bool = False


@dataclass(frozen=True, kw_only=True)
class Family:
    """Memories and logic of a family of devices, and how yosys is told of it.

    Parameters
    ----------
    synth : str
        Synthesis command of yosys.
    netlist : Netlist
    flow : Flow, optional
        None where no board can have such a device.
    shapes : tuple of (words, width)
        Words and widths that a block RAM can have. Empty if nothing is known of what memories take: then the family is
        no target of `generate`.
    wide_shapes : tuple of (words, width)
        Those of `shapes` of which a single word is read in a cycle, and not two.
    block_luts : int
        What a block RAM is worth, in LUTs, where encodings and memories are chosen: about as many as there are of them
        for each block RAM of a device. It is a part of what is generated for the family, whatever its boards are.
    block_cost : int
        Price of a block RAM, in LUTs, at which yosys prefers other memory.
    rom_cost : int
        The same for read-only memories of more than `DEEP_ROM_WORDS`.
    distributed : bool
        LUTs can be RAM: 16 words of 4 bits take six, two of them to write.
    lut_factor, ff_factor : float
        What optimization and carry chains make of the LUTs and flip-flops that are described. A LUT of iCE40 is a
        logic cell, which many flip-flops have for themselves.
    top_luts, top_ffs : int
        What the serial line and the lights around a core take.
    """

    synth: str
    netlist: Netlist
    flow: Flow | None = None
    shapes: tuple[tuple[int, int], ...] = ()
    wide_shapes: tuple[tuple[int, int], ...] = ()
    block_luts: int = 0
    block_cost: int = 0
    rom_cost: int = 0
    distributed: bool = False
    lut_factor: float = 1.0
    ff_factor: float = 1.0
    top_luts: int = 0
    top_ffs: int = 0


# yosys has models of block RAM and multipliers for iCE40 and GateMate, of multipliers for Nexus, and of
# neither for ECP5 and Gowin. What has neither shapes nor a flow is only simulated as a netlist.
FAMILIES: Mapping[str, Family] = {
    "ecp5": Family(
        synth="synth_ecp5",
        shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        wide_shapes=((512, 36),),
        block_luts=402,
        block_cost=128,
        rom_cost=4,
        distributed=True,
        lut_factor=1.42,
        ff_factor=0.9,
        top_luts=315,
        top_ffs=219,
        netlist=Netlist(
            options="-nodsp",
            cells="ecp5/cells_sim.v",
            memories="block and distributed RAM",
            block_rams="cells_ecp5.v",
        ),
        flow=Flow(
            options="-abc9",
            block_rams="lattice/brams_16kd.txt",
            nextpnr="nextpnr-ecp5",
            pack="ecppack",
            pack_options=("--compress", "--input", "{layout}", "--bit", "{bitstream}"),
            # router1 tears up the routes of cores with 16 lanes or more for ever; router2 takes a minute.
            route=("--router", "router2"),
            constraints=("--lpf", "lpf"),
            layout=("--textcfg", "config"),
            bitstream="bit",
            luts="TRELLIS_COMB",
            ffs="TRELLIS_FF",
            brams="DP16KD",
            dsps="MULT18X18D",
        ),
    ),
    "gowin": Family(
        synth="synth_gowin",
        shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        block_luts=390,
        block_cost=128,
        rom_cost=4,
        distributed=True,
        lut_factor=1.42,
        ff_factor=0.9,
        top_luts=315,
        top_ffs=219,
        flow=Flow(
            # The platform puts in the buffers of the pins, and yosys would add some to the modules it keeps.
            options="-noiopads",
            block_rams="gowin/brams.txt",
            nextpnr="nextpnr-himbaechel-gowin",
            pack="gowin_pack",
            pack_options=("-d", "{package}", "-o", "{bitstream}", "{layout}"),
            route=(),
            constraints=("--vopt", "cst"),
            constraints_prefix="cst=",
            frequency=True,
            layout=("--write", "pnr.json"),
            bitstream="fs",
            luts="LUT4",
            ffs="DFF",
            brams="BSRAM",
            dsps="MULT9X9",
        ),
        netlist=Netlist(
            options="-nodsp -noiopads",
            cells="gowin/cells_sim.v",
            memories="block and distributed RAM",
            block_rams="cells_gowin.v",
        ),
    ),
    "ice40": Family(
        synth="synth_ice40",
        shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        wide_shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        block_luts=176,
        block_cost=64,
        rom_cost=64,
        distributed=False,
        lut_factor=1.68,
        ff_factor=0.9,
        top_luts=380,
        top_ffs=212,
        netlist=Netlist(
            options="-device u -dsp",
            cells="ice40/cells_sim.v",
            memories="block RAM",
            block_rams="SB_RAM40_4K",
        ),
        flow=Flow(
            options="-abc9",
            block_rams="",
            nextpnr="nextpnr-ice40",
            pack="icepack",
            pack_options=("{layout}", "{bitstream}"),
            route=(),
            constraints=("--pcf", "pcf"),
            layout=("--asc", "asc"),
            bitstream="bin",
            luts="ICESTORM_LC",
            ffs="",
            brams="ICESTORM_RAM",
            dsps="ICESTORM_DSP",
            sprams="ICESTORM_SPRAM",
        ),
    ),
    "nexus": Family(
        synth="synth_nexus",
        netlist=Netlist(
            options="-noiopad",
            cells="lattice/cells_sim_nexus.v",
            memories="block and distributed RAM",
            block_rams="cells_nexus.v",
        ),
    ),
    "gatemate": Family(
        synth="synth_gatemate",
        netlist=Netlist(
            options="-noiopad -noclkbuf",
            cells="gatemate/cells_sim.v",
            memories="block RAM",
            block_rams="CC_BRAM_20K",
            # yosys 0.70 leaves select inputs of some CC_MX8 open that are needed (`bench/faults.py`), unless it is told
            # to use none in part; its options to use none at all have no effect.
            instead=(
                "map_muxs",
                (
                    "muxcover -mux4 -mux8 -nopartial",
                    "opt -full",
                    "simplemap",
                    "techmap -map +/gatemate/mux_map.v",
                ),
                "map_luts",
            ),
        ),
    ),
}

TARGETS = tuple(name for name, family in FAMILIES.items() if family.shapes)
"""Families that encodings and memories can be chosen for."""


@dataclass(frozen=True, kw_only=True)
class BlockRamSites:
    """Where the block RAMs of a device lie: in some rows of its grid, at the same columns in all of them.

    Parameters
    ----------
    columns, rows : tuple of int
    name : str
        Of a site, as nextpnr calls it; `{column}`, `{row}` and `{nth}`, 0 .. 3 from column to column, are put in.
    """

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    name: str

    def site(self, row: int, nth: int) -> str:
        """The site in the row and column of these numbers, counted from 0."""
        return self.name.format(column=self.columns[nth], row=self.rows[row], nth=nth % 4)


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA.

    Parameters
    ----------
    name : str
        As its maker calls it.
    family : str
        A key of `FAMILIES`.
    luts, ffs, brams, dsps : int
        How many there are.
    single_port : (memories, words, bits of a word)
        Large memories with one port.
    synth_options : str
        Options of yosys' synthesis command.
    nextpnr_option : str
        That names the device.
    package : str
        How the packer names the device, where it has to be told.
    sites : BlockRamSites, optional
        None where block RAMs are not placed ahead of all else, see `spikewright_boards.flow.floorplan`.
    """

    name: str
    family: str
    luts: int
    ffs: int
    brams: int
    dsps: int
    single_port: tuple[int, int, int] = (0, 1, 1)
    synth_options: str = ""
    nextpnr_option: str
    package: str = ""
    sites: BlockRamSites | None = None

    def __post_init__(self) -> None:
        if self.family not in TARGETS:
            raise ValueError(f"family of {self.name} must be one of {', '.join(TARGETS)}, not {self.family!r}")


DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        Device(name="LFE5U-12F", family="ecp5", luts=24288, ffs=24288, brams=56, dsps=28, nextpnr_option="--12k"),
        Device(name="LFE5U-25F", family="ecp5", luts=24288, ffs=24288, brams=56, dsps=28, nextpnr_option="--25k"),
        Device(name="LFE5U-45F", family="ecp5", luts=43848, ffs=43848, brams=108, dsps=72, nextpnr_option="--45k"),
        Device(
            name="LFE5U-85F",
            family="ecp5",
            luts=83640,
            ffs=83640,
            brams=208,
            dsps=156,
            nextpnr_option="--85k",
            sites=BlockRamSites(
                columns=tuple(
                    first + 2 * nth
                    for first in (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
                    for nth in range(4)
                ),
                rows=(22, 46, 70, 82),
                name="X{column}/Y{row}/EBR{nth}",
            ),
        ),
        Device(
            name="iCE40UP5K",
            family="ice40",
            luts=5280,
            ffs=5280,
            brams=30,
            dsps=8,
            single_port=(4, 1 << 14, 16),
            synth_options="-device u -dsp",
            nextpnr_option="--up5k",
        ),
        Device(
            name="GW1NR-9C",
            family="gowin",
            luts=8640,
            ffs=6480,
            brams=26,
            dsps=40,
            nextpnr_option="--vopt=family=GW1N-9C",
            package="GW1N-9C",
        ),
        Device(
            name="GW2AR-18C",
            family="gowin",
            luts=20736,
            ffs=15552,
            brams=46,
            dsps=96,
            nextpnr_option="--vopt=family=GW2A-18C",
            package="GW2A-18C",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Board:
    """What the prediction needs of a board.

    Parameters
    ----------
    name : str
        As given on the command line.
    device : Device
    clock_mhz : float
        Clock of the core by default.
    queue_depth : int
        Input beats that wait for the core; they fill one block RAM.
    """

    name: str
    device: Device
    clock_mhz: float
    queue_depth: int

    @property
    def family(self) -> Family:
        """Of the device."""
        return FAMILIES[self.device.family]
