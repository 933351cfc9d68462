// A copy of some registers near what reads them. Hierarchy is kept, or equal copies would become one again.
(* keep_hierarchy *)
module spikewright_copy #(
    parameter WIDTH = 1
) (
    input clk,
    input [WIDTH-1:0] d,
    output reg [WIDTH-1:0] q
);
    always @(posedge clk) q <= d;
endmodule
