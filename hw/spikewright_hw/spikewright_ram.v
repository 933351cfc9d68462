// Memory that is loaded at run time, with a read port of one clock cycle of latency. Undefined until it is loaded; what
// is read in the cycle of a write is undefined too. The one module to replace by a macro of an ASIC.
//
// Where SPIKEWRIGHT_SINGLE_PORT_BITS is defined, memories of at least so many bits have one address for both, and ask
// yosys for the large memories of a device that have a single port.
`ifndef SPIKEWRIGHT_SINGLE_PORT_BITS
`define SPIKEWRIGHT_SINGLE_PORT_BITS 0
`endif
module spikewright_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1
) (
    input clk,
    input en,
    input [ADDRESS_BITS-1:0] addr,
    output [WIDTH-1:0] data,
    input load_en,
    input [ADDRESS_BITS-1:0] load_addr,
    input [WIDTH-1:0] load_data
);
    reg [WIDTH-1:0] read;
    assign data = read;
    generate
        if (`SPIKEWRIGHT_SINGLE_PORT_BITS != 0 && WIDTH * DEPTH >= `SPIKEWRIGHT_SINGLE_PORT_BITS) begin : single
            (* ram_style = "huge" *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            wire [ADDRESS_BITS-1:0] place = load_en ? load_addr : addr;
            always @(posedge clk) if (load_en) words[place] <= load_data; else if (en) read <= words[place];
        end else begin : double
            (* no_rw_check *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            always @(posedge clk) if (en) read <= words[addr];
            always @(posedge clk) if (load_en) words[load_addr] <= load_data;
        end
    endgenerate
endmodule
