// Writable memory with a read port of one clock cycle of latency, and a write port. Every writable memory of the core is
// one of these, the one module to replace by a macro of an ASIC or a vendor; only tiny ones are registers.
//
// `read_data` keeps its value in a cycle after one without `read_en`. Words are undefined until they are written, and so
// is what a read gives in the cycle in which its address is written.
// LOADED is 1 where nothing is read in a cycle of a write: the core is loaded in a reset. A single port is enough there.
//
// SPIKEWRIGHT_RAM_STYLE, where it is defined, is a kind of memory for yosys and Vivado ("block", "distributed") or
// Quartus ("M10K", "MLAB"); tools choose by size else. Where SPIKEWRIGHT_SINGLE_PORT_BITS is defined, loaded memories of
// at least so many bits have a single port, and ask yosys for the large memories of a device that have no other.
`ifndef SPIKEWRIGHT_SINGLE_PORT_BITS
`define SPIKEWRIGHT_SINGLE_PORT_BITS 0
`endif
module spikewright_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1,
    parameter LOADED = 0
) (
    input clk,
    input read_en,
    input [ADDRESS_BITS-1:0] read_addr,
    output [WIDTH-1:0] read_data,
    input write_en,
    input [ADDRESS_BITS-1:0] write_addr,
    input [WIDTH-1:0] write_data
);
    reg [WIDTH-1:0] read;
    assign read_data = read;
    generate
        if (LOADED != 0 && `SPIKEWRIGHT_SINGLE_PORT_BITS != 0 && WIDTH * DEPTH >= `SPIKEWRIGHT_SINGLE_PORT_BITS)
        begin : single
            (* ram_style = "huge" *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            wire [ADDRESS_BITS-1:0] place = write_en ? write_addr : read_addr;
            always @(posedge clk) if (write_en) words[place] <= write_data; else if (read_en) read <= words[place];
        end else begin : double
`ifdef YOSYS
            (* no_rw_check *)
`else
            (* rw_addr_collision = "no", ramstyle = "no_rw_check" *)
`endif
`ifdef SPIKEWRIGHT_RAM_STYLE
            (* ram_style = `SPIKEWRIGHT_RAM_STYLE *)
`ifndef YOSYS
            (* ramstyle = {`SPIKEWRIGHT_RAM_STYLE, ", no_rw_check"} *)
`endif
`endif
            reg [WIDTH-1:0] words [0:DEPTH-1];
            always @(posedge clk) if (read_en) read <= words[read_addr];
            always @(posedge clk) if (write_en) words[write_addr] <= write_data;
        end
    endgenerate
endmodule
