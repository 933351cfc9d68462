// Read-only memory with a latency of one clock cycle, contents from a file of hexadecimal words in the folder IMAGES.
// Every memory that holds a part of the network is one of these, the one module to replace by a macro of an ASIC or a
// vendor.
//
// `data` keeps its value in a cycle after one without `en`.
//
// SPIKEWRIGHT_ROM_STYLE, where it is defined, is a kind of memory for yosys and Vivado ("block", "distributed") or
// Quartus ("M10K", "MLAB"); tools choose by size else.
module spikewright_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1,
    parameter IMAGES = "./",
    parameter IMAGE = ""
) (
    input clk,
    input en,
    input [ADDRESS_BITS-1:0] addr,
    output reg [WIDTH-1:0] data
);
`ifdef SPIKEWRIGHT_ROM_STYLE
    (* rom_style = `SPIKEWRIGHT_ROM_STYLE, romstyle = `SPIKEWRIGHT_ROM_STYLE *)
`endif
    reg [WIDTH-1:0] words [0:DEPTH-1];
    // Without an image there is no file to read: some tools elaborate the module with its default parameters too.
    generate
        if (IMAGE != "") begin : contents
            initial $readmemh({IMAGES, IMAGE}, words);
        end
    endgenerate
    always @(posedge clk) if (en) data <= words[addr];
endmodule
