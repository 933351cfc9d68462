// A register of the reset for a part of the core. There is one for each part, which synthesis must not make one again.
module spikewright_reset (
    input clk,
    input d,
    (* dont_touch = "true", dont_merge *)
    output reg q
);
    // yosys merges no registers of a process that it keeps.
    (* keep *)
    always @(posedge clk) q <= d;
endmodule
