"""The models of block RAM with two ports, against an array: every width, both ports, Gowin's modes of writing."""

import shutil
import subprocess
from collections.abc import Sequence
from importlib import util
from pathlib import Path

import pytest

BENCH = """
module check #(parameter WIDTH = 8, MODE = 0) (output integer wrong, changes);
    localparam LOG = WIDTH == 1 ? 0 : WIDTH == 2 ? 1 : WIDTH == 4 ? 2 : WIDTH < 16 ? 3 : 4;
    localparam WORDS = 16384 >> LOG;
    reg [WIDTH - 1:0] words [0:WORDS - 1];
    reg clk = 0;
    reg [1:0] en, write, reset;
    reg [13:0] a, b;
    reg [17:0] da, db;
    wire [17:0] qa, qb;
    reg [WIDTH - 1:0] wa = 0, wb = 0;
    // As yosys maps them: words of several units have the units that are written in the low bits of the address.
    wire [13:0] ada = a << LOG | (LOG == 4 ? 3 : 0), adb = b << LOG | (LOG == 4 ? 3 : 0);
    generate if (WIDTH % 9 == 0)
        DPX9B #(.BIT_WIDTH_0(WIDTH), .BIT_WIDTH_1(WIDTH), .WRITE_MODE0(MODE), .WRITE_MODE1(MODE)) ram (
            .CLKA(clk), .CEA(en[0]), .WREA(write[0]), .RESETA(reset[0]), .ADA(ada), .DIA(da), .DOA(qa),
            .CLKB(clk), .CEB(en[1]), .WREB(write[1]), .RESETB(reset[1]), .ADB(adb), .DIB(db), .DOB(qb));
    else begin
        assign qa[17:16] = 0, qb[17:16] = 0;
        DPB #(.BIT_WIDTH_0(WIDTH), .BIT_WIDTH_1(WIDTH), .WRITE_MODE0(MODE), .WRITE_MODE1(MODE)) ram (
            .CLKA(clk), .CEA(en[0]), .WREA(write[0]), .RESETA(reset[0]), .ADA(ada), .DIA(da[15:0]), .DOA(qa[15:0]),
            .CLKB(clk), .CEB(en[1]), .WREB(write[1]), .RESETB(reset[1]), .ADB(adb), .DIB(db[15:0]), .DOB(qb[15:0]));
    end endgenerate
    integer k;
    initial begin
        wrong = 0; changes = 0;
        for (k = 0; k < WORDS; k = k + 1) words[k] = 0;
        for (k = 0; k < 8000; k = k + 1) begin
            en = $random; write = $random; reset = $random & $random & $random; da = $random; db = $random;
            a = ($random & 'h3f) * 251 % WORDS; b = ($random & 'h3f) * 251 % WORDS;
            if (a == b) write = 0;
            #1 clk = 1;
            if (reset[0]) wa = 0; else if (en[0] & !write[0]) wa = words[a]; else if (en[0] & MODE == 1) wa = da;
            if (reset[1]) wb = 0; else if (en[1] & !write[1]) wb = words[b]; else if (en[1] & MODE == 1) wb = db;
            if (en[0] & write[0]) words[a] = da;
            if (en[1] & write[1]) words[b] = db;
            #1 clk = 0;
            if (qa[WIDTH - 1:0] !== wa | qb[WIDTH - 1:0] !== wb) wrong = wrong + 1;
            if (wa != wb) changes = changes + 1;
        end
    end
endmodule
"""
WIDTHS = (1, 2, 4, 8, 9, 16, 18)


NEXUS = """DP16K #(.DATA_WIDTH_A(NAME), .DATA_WIDTH_B(NAME)) ram (
        .CLKA(clk), .CEA(en[0]), .WEA(write[0]), .RSTA(reset[0]), .CSA(3'd7), .ADA(ada), .DIA(da), .DOA(qa),
        .CLKB(clk), .CEB(en[1]), .WEB(write[1]), .RSTB(reset[1]), .CSB(3'd7), .ADB(adb), .DIB(db), .DOB(qb));
    localparam [23:0] NAME = WIDTH == 1 ? "X1" : WIDTH == 2 ? "X2" : WIDTH == 4 ? "X4" : WIDTH == 9 ? "X9" : "X18";
"""


def bench_of_nexus() -> str:
    """The same for Nexus, whose ports keep what they gave while they write, and are reset only where enabled."""
    start, end = BENCH.index("    generate if"), BENCH.index("    integer k;")
    text = BENCH[:start] + NEXUS + BENCH[end:]
    return text.replace("if (reset[0])", "if (en[0] & reset[0])").replace("if (reset[1])", "if (en[1] & reset[1])")


@pytest.mark.parametrize(
    ("family", "bench", "widths", "modes"),
    [("gowin", BENCH, WIDTHS, (0, 1)), ("nexus", bench_of_nexus(), (1, 2, 4, 9, 18), (0,))],
    ids=["gowin", "nexus"],
)
def test_memories_with_two_ports(
    tmp_path: Path, family: str, bench: str, widths: Sequence[int], modes: Sequence[int]
) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog in PATH")
    lines = []
    for width in widths:
        for mode in modes:
            name = f"c{width}_{mode}"
            lines += [f"wire [31:0] w{name}, n{name};", f"check #({width}, {mode}) {name}(w{name}, n{name});"]
            lines.append(f'initial #20000 $display("{width} {mode} %0d %0d", w{name}, n{name} > 2000);')
    (tmp_path / "bench.v").write_text("\n".join([bench, "module bench;", *lines, "endmodule", ""]))
    found = util.find_spec("spikewright_sim")
    cells = Path(str(found and found.origin)).with_name(f"cells_{family}.v")
    subprocess.run(
        ["iverilog", "-g2005-sv", "-s", "bench", "-o", "bench", "bench.v", str(cells)], cwd=tmp_path, check=True
    )
    done = subprocess.run(["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == sorted(f"{width} {mode} 0 1" for width in widths for mode in modes)
