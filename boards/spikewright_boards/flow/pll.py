"""The phase-locked loop of ECP5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Instance, Signal

VCO_MHZ = (400.0, 800.0)
LOWEST_PHASE_DETECTOR_MHZ = 3.125


@dataclass(frozen=True)
class PllSettings:
    """Dividers of an EHXPLLL that is fed back from its primary output.

    Parameters
    ----------
    input_mhz : float
    input_divider, feedback_divider, output_divider : int
        The output runs at `input_mhz * feedback_divider / input_divider`, the oscillator `output_divider` times faster.
    """

    input_mhz: float
    input_divider: int
    feedback_divider: int
    output_divider: int

    @property
    def output_mhz(self) -> float:
        return self.input_mhz * self.feedback_divider / self.input_divider

    def instance(self, clock: Signal, output: Signal, locked: Signal) -> Any:
        """The primitive: from `clock` to `output`, with `locked` high once the output can be used."""
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.input_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.output_mhz:g}",
            # Loop filter of Lattice's tool for these frequencies.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKI_DIV=self.input_divider,
            p_CLKFB_DIV=self.feedback_divider,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.output_divider,
            p_CLKOP_CPHASE=self.output_divider // 2,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=clock,
            i_CLKFB=output,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=output,
            o_LOCK=locked,
        )


def pll_settings(input_mhz: float, output_mhz: float) -> PllSettings:
    """Dividers for an output within 1 % of `output_mhz`, as close as possible.

    Among equally close ones the phase detector runs as fast as possible, and the oscillator close to the middle of its
    range (limits: Lattice FPGA-TN-02200, and the open tools' `ecppll` for the phase detector).

    Raises
    ------
    ValueError
        If there are none.
    """
    best: tuple[tuple[float, int, float], PllSettings] | None = None
    for input_divider in range(1, int(input_mhz / LOWEST_PHASE_DETECTOR_MHZ) + 1):
        for feedback_divider in range(1, 81):
            candidate = PllSettings(input_mhz, input_divider, feedback_divider, 1)
            error = abs(candidate.output_mhz / output_mhz - 1)
            for output_divider in range(1, 129):
                vco = candidate.output_mhz * output_divider
                rank = (error, input_divider, abs(vco - sum(VCO_MHZ) / 2))
                if VCO_MHZ[0] <= vco <= VCO_MHZ[1] and error <= 0.01 and (best is None or rank < best[0]):
                    best = rank, PllSettings(input_mhz, input_divider, feedback_divider, output_divider)
    if best is None:
        raise ValueError(f"no PLL setting makes {output_mhz:g} MHz of {input_mhz:g} MHz")
    return best[1]
