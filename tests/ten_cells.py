"""A library of ten cells, for tests: what a core needs at least, with numbers that are easy to count with."""

from __future__ import annotations

from collections.abc import Collection

INPUT_PF = 0.002
CLOCK_PJ = 0.02
"""Of a flip-flop's clock, each edge."""
TOGGLE_PJ = 0.01
"""Of an output."""
LEAKAGE_NW = 0.5
AREAS = {
    "inv": 4.0, "buff": 5.0, "nand2": 5.0, "nor2": 5.0, "xor2": 9.0, "aoi21": 7.0, "hi": 3.0, "lo": 3.0, "dff": 20.0,
    "gate": 18.0,
}  # fmt: skip
_LOGIC = {
    "inv": ("A", "!A"),
    "buff": ("A", "A"),
    "nand2": ("A B", "!(A & B)"),
    "nor2": ("A B", "(A + B)'"),
    "xor2": ("A B", "A ^ B"),
    "aoi21": ("A B C", "!((A * B) | C)"),
    "hi": ("", "1"),
    "lo": ("", "0"),
}
_SCALARS = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")


def _timing(related: str, kind: str = "") -> str:
    tables = "".join(
        f'{name} (two) {{ values ("0.05, 0.1", "0.1, 0.2"); }}\n' for name in _SCALARS if "constraint" not in kind
    )
    return f'timing () {{ related_pin : "{related}"; {kind}\n{tables} }}\n'


def _check(kind: str) -> str:
    tables = "".join(f'{edge}_constraint (check) {{ values ("0.1, 0.1", "0.1, 0.1"); }}\n' for edge in ("rise", "fall"))
    return f'timing () {{ related_pin : "CK"; timing_type : {kind}_rising;\n{tables} }}\n'


def _power(picojoules: float) -> str:
    edges = "".join(f'{edge}_power (scalar) {{ values ("{picojoules}"); }} ' for edge in ("rise", "fall"))
    return f"internal_power () {{ {edges} }}\n"


def _input(name: str, more: str = "") -> str:
    return f"pin ({name}) {{ direction : input; capacitance : {INPUT_PF}; {more} }}\n"


def _output(name: str, function: str, timing: str) -> str:
    power = _power(TOGGLE_PJ)
    return f'pin ({name}) {{ direction : output; function : "{function}"; max_capacitance : 0.2;\n{timing}{power} }}\n'


def _cell(name: str) -> str:
    head = f"cell ({name}) {{ area : {AREAS[name]}; cell_leakage_power : {LEAKAGE_NW};\n"
    if name == "dff":
        body = 'ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }\n'
        body += _input("CK", "clock : true; " + _power(CLOCK_PJ))
        body += _input("D", _check("setup") + _check("hold"))
        body += _output("Q", "IQ", _timing("CK", "timing_type : rising_edge;"))
    elif name == "gate":
        body = 'clock_gating_integrated_cell : "latch_posedge"; dont_use : true;\n'
        body += _input("CK", "clock : true; clock_gate_clock_pin : true; " + _power(CLOCK_PJ))
        body += _input("E", "clock_gate_enable_pin : true; " + _check("setup"))
        body += f"pin (GCK) {{ direction : output; clock_gate_out_pin : true; {_timing('CK')}{_power(TOGGLE_PJ)} }}\n"
    else:
        pins, function = _LOGIC[name]
        body = "".join(_input(pin) for pin in pins.split())
        body += _output("Y", function, "".join(_timing(pin) for pin in pins.split()))
    return f"{head}{body}}}\n"


def _axes(first: str, second: str, values: str, others: str) -> str:
    return f'variable_1 : {first}; variable_2 : {second}; index_1 ("{values}"); index_2 ("{others}");'


def ten_cells(without: Collection[str] = ()) -> str:
    """Text of the library, without some of its cells."""
    two = _axes("input_net_transition", "total_output_net_capacitance", "0.05, 0.5", "0.002, 0.1")
    check = _axes("related_pin_transition", "constrained_pin_transition", "0.05, 0.5", "0.05, 0.5")
    return (
        "/* ten cells */\nlibrary (ten) {\n"
        'delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA";\n'
        'capacitive_load_unit (1, pf); leakage_power_unit : "1nW"; pulling_resistance_unit : "1kohm";\n'
        + "".join(f"input_threshold_pct_{e} : 50; output_threshold_pct_{e} : 50; " for e in ("rise", "fall"))
        + "".join(f"slew_lower_threshold_pct_{e} : 20; slew_upper_threshold_pct_{e} : 80; " for e in ("rise", "fall"))
        + "\nnom_voltage : 2.0; nom_process : 1; nom_temperature : 25; default_max_transition : 2.0;\n"
        f"lu_table_template (two) {{ {two} }}\nlu_table_template (check) {{ {check} }}\n"
        + "".join(_cell(name) for name in AREAS if name not in without)
        + "}\n"
    )
