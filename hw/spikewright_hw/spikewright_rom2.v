// Read-only memory with two read ports, each with a latency of one clock cycle; see spikewright_rom.
module spikewright_rom2 #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1,
    parameter IMAGES = "./",
    parameter IMAGE = ""
) (
    input clk,
    input en,
    input [ADDRESS_BITS-1:0] addr0,
    input [ADDRESS_BITS-1:0] addr1,
    output reg [WIDTH-1:0] data0,
    output reg [WIDTH-1:0] data1
);
    reg [WIDTH-1:0] words [0:DEPTH-1];
    generate
        if (IMAGE != "") begin : contents
            initial $readmemh({IMAGES, IMAGE}, words);
        end
    endgenerate
    always @(posedge clk) if (en) begin
        data0 <= words[addr0];
        data1 <= words[addr1];
    end
endmodule
