// Memory of what only a trace shows, with the ports of spikewright_ram: where there is no trace, it holds nothing.
/* verilator lint_off UNUSEDPARAM */
module spikewright_trace #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_BITS = 1
) (
    input clk,
    input read_en,
    input [ADDRESS_BITS-1:0] read_addr,
    output [WIDTH-1:0] read_data,
    input write_en,
    input [ADDRESS_BITS-1:0] write_addr,
    input [WIDTH-1:0] write_data
);
`ifdef SPIKEWRIGHT_TRACE
    (* no_rw_check *)
    reg [WIDTH-1:0] words [0:DEPTH-1];
    reg [WIDTH-1:0] read;
    assign read_data = read;
    always @(posedge clk) if (read_en) read <= words[read_addr];
    always @(posedge clk) if (write_en) words[write_addr] <= write_data;
`else
    assign read_data = {WIDTH{1'b0}};
`endif
endmodule
/* verilator lint_on UNUSEDPARAM */
