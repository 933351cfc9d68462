// Memory that is loaded at run time, with a read port of one clock cycle of latency. Undefined until it is loaded; what
// is read in the cycle of a write to the same word is undefined too. The one module to replace by a macro of an ASIC.
module spikewright_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1
) (
    input clk,
    input en,
    input [ADDRESS_BITS-1:0] addr,
    output reg [WIDTH-1:0] data,
    input load_en,
    input [ADDRESS_BITS-1:0] load_addr,
    input [WIDTH-1:0] load_data
);
    (* no_rw_check *)
    reg [WIDTH-1:0] words [0:DEPTH-1];
    always @(posedge clk) if (en) data <= words[addr];
    always @(posedge clk) if (load_en) words[load_addr] <= load_data;
endmodule
