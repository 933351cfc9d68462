// A register of the reset for a part of the core. Hierarchy is kept, or those of all parts would become one.
(* keep_hierarchy *)
module spikewright_reset (
    input clk,
    input d,
    output reg q
);
    always @(posedge clk) q <= d;
endmodule
