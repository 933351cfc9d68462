// Block RAM of ECP5, as far as yosys' mapping uses it: no output registers, no chip select, rising clock edges.
// The cell library of yosys has no model of it. After Lattice's FPGA-TN-02204 (ECP5 memory usage guide).
module DP16KD #(
    parameter [319:0] INITVAL_00 = 320'h0,
    parameter [319:0] INITVAL_01 = 320'h0,
    parameter [319:0] INITVAL_02 = 320'h0,
    parameter [319:0] INITVAL_03 = 320'h0,
    parameter [319:0] INITVAL_04 = 320'h0,
    parameter [319:0] INITVAL_05 = 320'h0,
    parameter [319:0] INITVAL_06 = 320'h0,
    parameter [319:0] INITVAL_07 = 320'h0,
    parameter [319:0] INITVAL_08 = 320'h0,
    parameter [319:0] INITVAL_09 = 320'h0,
    parameter [319:0] INITVAL_0A = 320'h0,
    parameter [319:0] INITVAL_0B = 320'h0,
    parameter [319:0] INITVAL_0C = 320'h0,
    parameter [319:0] INITVAL_0D = 320'h0,
    parameter [319:0] INITVAL_0E = 320'h0,
    parameter [319:0] INITVAL_0F = 320'h0,
    parameter [319:0] INITVAL_10 = 320'h0,
    parameter [319:0] INITVAL_11 = 320'h0,
    parameter [319:0] INITVAL_12 = 320'h0,
    parameter [319:0] INITVAL_13 = 320'h0,
    parameter [319:0] INITVAL_14 = 320'h0,
    parameter [319:0] INITVAL_15 = 320'h0,
    parameter [319:0] INITVAL_16 = 320'h0,
    parameter [319:0] INITVAL_17 = 320'h0,
    parameter [319:0] INITVAL_18 = 320'h0,
    parameter [319:0] INITVAL_19 = 320'h0,
    parameter [319:0] INITVAL_1A = 320'h0,
    parameter [319:0] INITVAL_1B = 320'h0,
    parameter [319:0] INITVAL_1C = 320'h0,
    parameter [319:0] INITVAL_1D = 320'h0,
    parameter [319:0] INITVAL_1E = 320'h0,
    parameter [319:0] INITVAL_1F = 320'h0,
    parameter [319:0] INITVAL_20 = 320'h0,
    parameter [319:0] INITVAL_21 = 320'h0,
    parameter [319:0] INITVAL_22 = 320'h0,
    parameter [319:0] INITVAL_23 = 320'h0,
    parameter [319:0] INITVAL_24 = 320'h0,
    parameter [319:0] INITVAL_25 = 320'h0,
    parameter [319:0] INITVAL_26 = 320'h0,
    parameter [319:0] INITVAL_27 = 320'h0,
    parameter [319:0] INITVAL_28 = 320'h0,
    parameter [319:0] INITVAL_29 = 320'h0,
    parameter [319:0] INITVAL_2A = 320'h0,
    parameter [319:0] INITVAL_2B = 320'h0,
    parameter [319:0] INITVAL_2C = 320'h0,
    parameter [319:0] INITVAL_2D = 320'h0,
    parameter [319:0] INITVAL_2E = 320'h0,
    parameter [319:0] INITVAL_2F = 320'h0,
    parameter [319:0] INITVAL_30 = 320'h0,
    parameter [319:0] INITVAL_31 = 320'h0,
    parameter [319:0] INITVAL_32 = 320'h0,
    parameter [319:0] INITVAL_33 = 320'h0,
    parameter [319:0] INITVAL_34 = 320'h0,
    parameter [319:0] INITVAL_35 = 320'h0,
    parameter [319:0] INITVAL_36 = 320'h0,
    parameter [319:0] INITVAL_37 = 320'h0,
    parameter [319:0] INITVAL_38 = 320'h0,
    parameter [319:0] INITVAL_39 = 320'h0,
    parameter [319:0] INITVAL_3A = 320'h0,
    parameter [319:0] INITVAL_3B = 320'h0,
    parameter [319:0] INITVAL_3C = 320'h0,
    parameter [319:0] INITVAL_3D = 320'h0,
    parameter [319:0] INITVAL_3E = 320'h0,
    parameter [319:0] INITVAL_3F = 320'h0,
    parameter DATA_WIDTH_A = 18,
    parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG",
    parameter REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC",
    parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000",
    parameter CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL",
    parameter WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA",
    parameter CLKBMUX = "CLKB",
    parameter INIT_DATA = "STATIC",
    parameter GSR = "ENABLED"
) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    localparam [20479:0] INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    // Units of nine bits, of which widths below nine use eight.
    reg [8:0] units [0:2047];
    integer k;
    initial for (k = 0; k < 1024; k = k + 1) {units[2 * k + 1], units[2 * k]} = INIT[20 * k +: 18];

    wire [13:0] adA = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [35:0] diA = {{DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0}, {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0}};
    reg [35:0] doA = 0;
    wire [13:0] adB = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] diB = {18'b0, {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0}};
    reg [35:0] doB = 0;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? doB[17:0] : doA[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? doB[35:18] : doB[17:0];

    always @(posedge CLKA) begin
        if (CEA && WEA) case (DATA_WIDTH_A)
            36: for (k = 0; k < 4; k = k + 1) if (adA[k]) units[{adA[13:5], k[1:0]}] <= diA[9 * k +: 9];
            18: for (k = 0; k < 2; k = k + 1) if (adA[k]) units[{adA[13:4], k[0]}] <= diA[9 * k +: 9];
            9: units[adA[13:3]] <= diA[8:0];
            4: units[adA[13:3]][{adA[2], 2'b0} +: 4] <= diA[3:0];
            2: units[adA[13:3]][{adA[2:1], 1'b0} +: 2] <= diA[1:0];
            default: units[adA[13:3]][adA[2:0]] <= diA[0];
        endcase
        // Without a write the port reads; with one it keeps what it gave (NORMAL) or gives the old word.
        if (RSTA) doA <= 0;
        else if (CEA && (!WEA || WRITEMODE_A == "READBEFOREWRITE")) case (DATA_WIDTH_A)
            36: doA <= {units[{adA[13:5], 2'd3}], units[{adA[13:5], 2'd2}], units[{adA[13:5], 2'd1}], units[{adA[13:5], 2'd0}]};
            18: doA <= {18'b0, units[{adA[13:4], 1'b1}], units[{adA[13:4], 1'b0}]};
            9: doA <= {27'b0, units[adA[13:3]]};
            4: doA <= {32'b0, units[adA[13:3]][{adA[2], 2'b0} +: 4]};
            2: doA <= {34'b0, units[adA[13:3]][{adA[2:1], 1'b0} +: 2]};
            default: doA <= {35'b0, units[adA[13:3]][adA[2:0]]};
        endcase
        else if (CEA && WRITEMODE_A == "WRITETHROUGH") doA <= diA;
    end

    always @(posedge CLKB) begin
        if (CEB && WEB) case (DATA_WIDTH_B)
            36: for (k = 0; k < 4; k = k + 1) if (adB[k]) units[{adB[13:5], k[1:0]}] <= diB[9 * k +: 9];
            18: for (k = 0; k < 2; k = k + 1) if (adB[k]) units[{adB[13:4], k[0]}] <= diB[9 * k +: 9];
            9: units[adB[13:3]] <= diB[8:0];
            4: units[adB[13:3]][{adB[2], 2'b0} +: 4] <= diB[3:0];
            2: units[adB[13:3]][{adB[2:1], 1'b0} +: 2] <= diB[1:0];
            default: units[adB[13:3]][adB[2:0]] <= diB[0];
        endcase
        // Without a write the port reads; with one it keeps what it gave (NORMAL) or gives the old word.
        if (RSTB) doB <= 0;
        else if (CEB && (!WEB || WRITEMODE_B == "READBEFOREWRITE")) case (DATA_WIDTH_B)
            36: doB <= {units[{adB[13:5], 2'd3}], units[{adB[13:5], 2'd2}], units[{adB[13:5], 2'd1}], units[{adB[13:5], 2'd0}]};
            18: doB <= {18'b0, units[{adB[13:4], 1'b1}], units[{adB[13:4], 1'b0}]};
            9: doB <= {27'b0, units[adB[13:3]]};
            4: doB <= {32'b0, units[adB[13:3]][{adB[2], 2'b0} +: 4]};
            2: doB <= {34'b0, units[adB[13:3]][{adB[2:1], 1'b0} +: 2]};
            default: doB <= {35'b0, units[adB[13:3]][adB[2:0]]};
        endcase
        else if (CEB && WRITEMODE_B == "WRITETHROUGH") doB <= diB;
    end
endmodule
