"""Build folders with a hand-written core, small enough to synthesize in seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikewright.support.files import write_manifest

STREAM = {"axon_bits": 4, "value_bits": 3, "input_bytes": 1, "mark_bit": 7, "output_bytes": 2, "classes": 3}

PORTS = """
module spikewright_core(
    input clk, input rst,
    input [7:0] s_axis_tdata, input s_axis_tvalid, output s_axis_tready, input s_axis_tlast,
    output [15:0] m_axis_tdata, output m_axis_tvalid, input m_axis_tready, output m_axis_tlast,
    output [15:0] trace%s
);
"""
LOAD_PORTS = """,
    input [7:0] s_load_tdata, input s_load_tvalid, output s_load_tready, input s_load_tlast,
    output loaded, output load_error
"""

# Answers every beat with a word of the image; `STATE` adds what a test needs to `word`.
BODY = """
    reg [15:0] image [0:255];
    initial $readmemh("image.hex", image);
    reg [15:0] word;
    reg [1:0] state;
    reg last;
    assign s_axis_tready = state == 0;
    assign m_axis_tvalid = state == 3;
    assign m_axis_tdata = word ^ extra;
    assign m_axis_tlast = last;
    assign trace = word;
    always @(posedge clk) begin
        if (state == 0 && s_axis_tvalid) begin
            state <= 1;
            last <= s_axis_tlast;
        end else if (state == 1 || state == 2)
            state <= state + 1;
        else if (state == 3 && m_axis_tready)
            state <= 0;
        if (rst)
            state <= 0;
    end
    always @(posedge clk) word <= image[s_axis_tdata];
"""


def write_core(
    folder: Path,
    extra: str = "wire [15:0] extra = 0;",
    *,
    images: Mapping[str, tuple[int, int]] = {},
    stream: dict[str, Any] = STREAM,
    ports: str = "",
    **manifest: Any,
) -> Path:
    """A build folder.

    `extra` is Verilog that declares 16 bits of that name, `images` (words, width) by name, `ports` more of them;
    `manifest` are further entries.
    """
    folder.mkdir(parents=True)
    (folder / "spikewright_core.v").write_text(PORTS % ports + extra + BODY + "endmodule\n")
    entries = {}
    for name, (words, width) in {"image": (256, 16), **images}.items():
        lines = [f"// {words} words of {width} bits", *(f"{word * 40503 % (1 << width):x}" for word in range(words))]
        (folder / f"{name}.hex").write_text("\n".join(lines) + "\n")
        entries[name] = {"words": words, "width": width}
    write_manifest(folder, {"images": entries, "stream": stream, **manifest})
    return folder
