// Block RAM of Nexus, as far as yosys' mapping uses it: no output registers, no chip select, one clock, resets on it.
// The cell library of yosys has black boxes only. Addresses and widths are those that yosys maps to (brams_map_nexus.v),
// which has the bytes that a word of 18 or 36 bits is written to in the low bits of its address. Contents are texts, 0x
// and 80 hexadecimal digits: 32 units of nine bits, each in ten.
`define NEXUS_EMPTY {"0x", {80{"0"}}}
`define NEXUS_INITS parameter [655:0] \
    INITVAL_00 = `NEXUS_EMPTY, INITVAL_01 = `NEXUS_EMPTY, INITVAL_02 = `NEXUS_EMPTY, \
    INITVAL_03 = `NEXUS_EMPTY, INITVAL_04 = `NEXUS_EMPTY, INITVAL_05 = `NEXUS_EMPTY, \
    INITVAL_06 = `NEXUS_EMPTY, INITVAL_07 = `NEXUS_EMPTY, INITVAL_08 = `NEXUS_EMPTY, \
    INITVAL_09 = `NEXUS_EMPTY, INITVAL_0A = `NEXUS_EMPTY, INITVAL_0B = `NEXUS_EMPTY, \
    INITVAL_0C = `NEXUS_EMPTY, INITVAL_0D = `NEXUS_EMPTY, INITVAL_0E = `NEXUS_EMPTY, \
    INITVAL_0F = `NEXUS_EMPTY, INITVAL_10 = `NEXUS_EMPTY, INITVAL_11 = `NEXUS_EMPTY, \
    INITVAL_12 = `NEXUS_EMPTY, INITVAL_13 = `NEXUS_EMPTY, INITVAL_14 = `NEXUS_EMPTY, \
    INITVAL_15 = `NEXUS_EMPTY, INITVAL_16 = `NEXUS_EMPTY, INITVAL_17 = `NEXUS_EMPTY, \
    INITVAL_18 = `NEXUS_EMPTY, INITVAL_19 = `NEXUS_EMPTY, INITVAL_1A = `NEXUS_EMPTY, \
    INITVAL_1B = `NEXUS_EMPTY, INITVAL_1C = `NEXUS_EMPTY, INITVAL_1D = `NEXUS_EMPTY, \
    INITVAL_1E = `NEXUS_EMPTY, INITVAL_1F = `NEXUS_EMPTY, INITVAL_20 = `NEXUS_EMPTY, \
    INITVAL_21 = `NEXUS_EMPTY, INITVAL_22 = `NEXUS_EMPTY, INITVAL_23 = `NEXUS_EMPTY, \
    INITVAL_24 = `NEXUS_EMPTY, INITVAL_25 = `NEXUS_EMPTY, INITVAL_26 = `NEXUS_EMPTY, \
    INITVAL_27 = `NEXUS_EMPTY, INITVAL_28 = `NEXUS_EMPTY, INITVAL_29 = `NEXUS_EMPTY, \
    INITVAL_2A = `NEXUS_EMPTY, INITVAL_2B = `NEXUS_EMPTY, INITVAL_2C = `NEXUS_EMPTY, \
    INITVAL_2D = `NEXUS_EMPTY, INITVAL_2E = `NEXUS_EMPTY, INITVAL_2F = `NEXUS_EMPTY, \
    INITVAL_30 = `NEXUS_EMPTY, INITVAL_31 = `NEXUS_EMPTY, INITVAL_32 = `NEXUS_EMPTY, \
    INITVAL_33 = `NEXUS_EMPTY, INITVAL_34 = `NEXUS_EMPTY, INITVAL_35 = `NEXUS_EMPTY, \
    INITVAL_36 = `NEXUS_EMPTY, INITVAL_37 = `NEXUS_EMPTY, INITVAL_38 = `NEXUS_EMPTY, \
    INITVAL_39 = `NEXUS_EMPTY, INITVAL_3A = `NEXUS_EMPTY, INITVAL_3B = `NEXUS_EMPTY, \
    INITVAL_3C = `NEXUS_EMPTY, INITVAL_3D = `NEXUS_EMPTY, INITVAL_3E = `NEXUS_EMPTY, \
    INITVAL_3F = `NEXUS_EMPTY
`define NEXUS_INIT { \
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, \
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, \
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, \
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, \
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, \
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, \
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08, \
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00 \
}

// 2,048 units of nine bits, of which widths below nine use eight.
`define NEXUS_UNITS \
    reg [8:0] units [0:2047]; \
    reg [655:0] text; \
    reg [319:0] line; \
    integer j, k; \
    initial for (j = 0; j < 64; j = j + 1) begin \
        text = INIT[656 * j +: 656]; \
        for (k = 0; k < 80; k = k + 1) \
            line[4 * k +: 4] = text[8 * k + 6] ? text[8 * k +: 4] + 4'd9 : text[8 * k +: 4]; \
        for (k = 0; k < 32; k = k + 1) units[32 * j + k] = line[10 * k +: 9]; \
    end

`define NEXUS_WRITE(WIDTH, addr, data) \
    case (WIDTH) \
        "X36": for (k = 0; k < 4; k = k + 1) if (addr[k]) units[{addr[13:5], k[1:0]}] <= data[9 * k +: 9]; \
        "X18": for (k = 0; k < 2; k = k + 1) if (addr[k]) units[{addr[13:4], k[0]}] <= data[9 * k +: 9]; \
        "X9": units[addr[13:3]] <= data[8:0]; \
        "X4": units[addr[13:3]][{addr[2], 2'b0} +: 4] <= data[3:0]; \
        "X2": units[addr[13:3]][{addr[2:1], 1'b0} +: 2] <= data[1:0]; \
        default: units[addr[13:3]][addr[2:0]] <= data[0]; \
    endcase

`define NEXUS_READ(WIDTH, addr, q) \
    case (WIDTH) \
        "X36": for (k = 0; k < 4; k = k + 1) q[9 * k +: 9] <= units[{addr[13:5], k[1:0]}]; \
        "X18": for (k = 0; k < 2; k = k + 1) q[9 * k +: 9] <= units[{addr[13:4], k[0]}]; \
        "X9": q <= units[addr[13:3]]; \
        "X4": q <= units[addr[13:3]][{addr[2], 2'b0} +: 4]; \
        "X2": q <= units[addr[13:3]][{addr[2:1], 1'b0} +: 2]; \
        default: q <= units[addr[13:3]][addr[2:0]]; \
    endcase

module PDPSC16K #(
    parameter DATA_WIDTH_W = "X36",
    parameter DATA_WIDTH_R = "X36",
    parameter OUTREG = "BYPASSED",
    parameter RESETMODE = "SYNC",
    parameter ASYNC_RST_RELEASE = "SYNC",
    parameter CSDECODE_W = "111",
    parameter CSDECODE_R = "111",
    parameter ECC = "DISABLED",
    parameter GSR = "DISABLED",
    `NEXUS_INITS
) (
    input CLK,
    input CEW,
    input [2:0] CSW,
    input [13:0] ADW,
    input [35:0] DI,
    input CER, RST,
    input [2:0] CSR,
    input [13:0] ADR,
    output reg [35:0] DO,
    output ONEBITERR, TWOBITERR
);
    localparam [64 * 656 - 1:0] INIT = `NEXUS_INIT;
    `NEXUS_UNITS
    initial DO = 0;
    assign ONEBITERR = 0, TWOBITERR = 0;
    // Both at one address: the old word is read.
    always @(posedge CLK) begin
        if (CEW) `NEXUS_WRITE(DATA_WIDTH_W, ADW, DI)
        if (CER & RST) DO <= 0;
        else if (CER) `NEXUS_READ(DATA_WIDTH_R, ADR, DO)
    end
endmodule

// Two ports that read and write, on one clock: a core has no other. While it writes, a port keeps what it gave.
module DP16K #(
    parameter DATA_WIDTH_A = "X18",
    parameter DATA_WIDTH_B = "X18",
    parameter OUTREG_A = "BYPASSED",
    parameter OUTREG_B = "BYPASSED",
    parameter RESETMODE_A = "SYNC",
    parameter RESETMODE_B = "SYNC",
    parameter ASYNC_RST_RELEASE_A = "SYNC",
    parameter ASYNC_RST_RELEASE_B = "SYNC",
    parameter CSDECODE_A = "111",
    parameter CSDECODE_B = "111",
    parameter GSR = "DISABLED",
    `NEXUS_INITS
) (
    input CLKA, CEA, WEA, RSTA,
    input [2:0] CSA,
    input [13:0] ADA,
    input [17:0] DIA,
    output [17:0] DOA,
    input CLKB, CEB, WEB, RSTB,
    input [2:0] CSB,
    input [13:0] ADB,
    input [17:0] DIB,
    output [17:0] DOB
);
    localparam [64 * 656 - 1:0] INIT = `NEXUS_INIT;
    `NEXUS_UNITS
    wire [35:0] data_a = {18'b0, DIA}, data_b = {18'b0, DIB};
    reg [35:0] q_a = 0, q_b = 0;
    assign DOA = q_a[17:0], DOB = q_b[17:0];
    always @(posedge CLKA) begin
        if (CEA & WEA) `NEXUS_WRITE(DATA_WIDTH_A, ADA, data_a)
        if (CEA & RSTA) q_a <= 0;
        else if (CEA & !WEA) `NEXUS_READ(DATA_WIDTH_A, ADA, q_a)
        if (CEB & WEB) `NEXUS_WRITE(DATA_WIDTH_B, ADB, data_b)
        if (CEB & RSTB) q_b <= 0;
        else if (CEB & !WEB) `NEXUS_READ(DATA_WIDTH_B, ADB, q_b)
    end
endmodule
