// A copy of some registers near what reads them. There is one for each part, which synthesis must not make one again.
module spikewright_copy #(
    parameter WIDTH = 1
) (
    input clk,
    input [WIDTH-1:0] d,
    (* dont_touch = "true", dont_merge *)
    output reg [WIDTH-1:0] q
);
    // yosys merges no registers of a process that it keeps.
    (* keep *)
    always @(posedge clk) q <= d;
endmodule
