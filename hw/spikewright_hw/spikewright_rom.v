// Read-only memory with a latency of one clock cycle, contents from a file of hexadecimal words.
module spikewright_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1,
    parameter IMAGE = ""
) (
    input clk,
    input en,
    input [ADDRESS_BITS-1:0] addr,
    output reg [WIDTH-1:0] data
);
    reg [WIDTH-1:0] words [0:DEPTH-1];
    initial $readmemh(IMAGE, words);
    always @(posedge clk) if (en) data <= words[addr];
endmodule
