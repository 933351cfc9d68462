// Block RAM of Gowin, as far as yosys' mapping uses it: no output registers, no block select, rising clock edges.
// The cell library of yosys has black boxes only. Addresses and widths are those that yosys maps to (brams_map.v).
`define GOWIN_INITS(BITS) parameter [BITS - 1:0] \
    INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, \
    INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, \
    INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0, \
    INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, \
    INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, \
    INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, \
    INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, \
    INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0, \
    INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0, \
    INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
    INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, \
    INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, \
    INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, \
    INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0, \
    INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
    INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
`define GOWIN_INIT { \
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, \
    INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38, \
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, \
    INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30, \
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, \
    INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, \
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, \
    INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, \
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, \
    INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, \
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, \
    INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, \
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, \
    INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, \
    INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00}

// 2,048 units of eight or nine bits, of which widths below eight use a part. The low bits of the address of a write of
// several units tell which of them are written.
module gowin_block_ram #(
    parameter UNIT = 9,
    parameter WRITE = 36,
    parameter READ = 36,
    parameter TRANSPARENT = 0,
    parameter [2048 * UNIT - 1:0] INIT = 0
) (
    input write_clk, write_en,
    input [13:0] write_addr,
    input [35:0] write_data,
    input read_clk, read_en, read_reset,
    input [13:0] read_addr,
    output [35:0] read_data
);
    reg [UNIT - 1:0] units [0:2047];
    reg [4 * UNIT - 1:0] data = 0;
    integer k;
    initial for (k = 0; k < 2048; k = k + 1) units[k] = INIT[UNIT * k +: UNIT];
    assign read_data = {{(36 - 4 * UNIT){1'b0}}, data};

    always @(posedge write_clk)
        if (write_en) case (WRITE)
            4 * UNIT: for (k = 0; k < 4; k = k + 1)
                if (write_addr[k]) units[{write_addr[13:5], k[1:0]}] <= write_data[UNIT * k +: UNIT];
            2 * UNIT: for (k = 0; k < 2; k = k + 1)
                if (write_addr[k]) units[{write_addr[13:4], k[0]}] <= write_data[UNIT * k +: UNIT];
            UNIT: units[write_addr[13:3]] <= write_data[UNIT - 1:0];
            4: units[write_addr[13:3]][{write_addr[2], 2'b0} +: 4] <= write_data[3:0];
            2: units[write_addr[13:3]][{write_addr[2:1], 1'b0} +: 2] <= write_data[1:0];
            default: units[write_addr[13:3]][write_addr[2:0]] <= write_data[0];
        endcase

    wire [8:0] fours = read_addr[13:5];
    wire [9:0] pairs = read_addr[13:4];
    wire [10:0] unit = read_addr[13:3];
    always @(posedge read_clk)
        if (read_reset) data <= 0;
        else if (read_en && write_en && TRANSPARENT) data <= write_data[4 * UNIT - 1:0];
        else if (read_en) case (READ)
            4 * UNIT: data <= {units[{fours, 2'd3}], units[{fours, 2'd2}], units[{fours, 2'd1}], units[{fours, 2'd0}]};
            2 * UNIT: data <= {units[{pairs, 1'b1}], units[{pairs, 1'b0}]};
            UNIT: data <= units[unit];
            4: data <= units[unit][{read_addr[2], 2'b0} +: 4];
            2: data <= units[unit][{read_addr[2:1], 1'b0} +: 2];
            default: data <= units[unit][read_addr[2:0]];
        endcase
endmodule

module SDPB #(
    parameter READ_MODE = 1'b0,
    parameter BIT_WIDTH_0 = 32,
    parameter BIT_WIDTH_1 = 32,
    parameter BLK_SEL_0 = 3'b000,
    parameter BLK_SEL_1 = 3'b000,
    parameter RESET_MODE = "SYNC",
    `GOWIN_INITS(256)
) (
    input [2:0] BLKSELA, BLKSELB,
    input CLKA, CEA, RESETA,
    input [13:0] ADA,
    input [31:0] DI,
    input CLKB, CEB, RESETB, OCE,
    input [13:0] ADB,
    output [31:0] DO
);
    wire [35:0] data;
    assign DO = data[31:0];
    gowin_block_ram #(
        .UNIT(8), .WRITE(BIT_WIDTH_0), .READ(BIT_WIDTH_1), .INIT(`GOWIN_INIT)
    ) ram (
        .write_clk(CLKA), .write_en(CEA), .write_addr(ADA), .write_data({4'b0, DI}),
        .read_clk(CLKB), .read_en(CEB), .read_reset(RESETB), .read_addr(ADB), .read_data(data)
    );
endmodule

module SDPX9B #(
    parameter READ_MODE = 1'b0,
    parameter BIT_WIDTH_0 = 36,
    parameter BIT_WIDTH_1 = 36,
    parameter BLK_SEL_0 = 3'b000,
    parameter BLK_SEL_1 = 3'b000,
    parameter RESET_MODE = "SYNC",
    `GOWIN_INITS(288)
) (
    input [2:0] BLKSELA, BLKSELB,
    input CLKA, CEA, RESETA,
    input [13:0] ADA,
    input [35:0] DI,
    input CLKB, CEB, RESETB, OCE,
    input [13:0] ADB,
    output [35:0] DO
);
    wire [35:0] data;
    assign DO = data[35:0];
    gowin_block_ram #(
        .UNIT(9), .WRITE(BIT_WIDTH_0), .READ(BIT_WIDTH_1), .INIT(`GOWIN_INIT)
    ) ram (
        .write_clk(CLKA), .write_en(CEA), .write_addr(ADA), .write_data(DI),
        .read_clk(CLKB), .read_en(CEB), .read_reset(RESETB), .read_addr(ADB), .read_data(data)
    );
endmodule

module SP #(
    parameter READ_MODE = 1'b0,
    parameter WRITE_MODE = 2'b00,
    parameter BIT_WIDTH = 32,
    parameter BLK_SEL = 3'b000,
    parameter RESET_MODE = "SYNC",
    `GOWIN_INITS(256)
) (
    input [2:0] BLKSEL,
    input CLK, CE, WRE, RESET, OCE,
    input [13:0] AD,
    input [31:0] DI,
    output [31:0] DO
);
    // With a write the port keeps what it gave (0), gives the new word (1) or the old one (2).
    wire [35:0] data;
    assign DO = data[31:0];
    gowin_block_ram #(
        .UNIT(8), .WRITE(BIT_WIDTH), .READ(BIT_WIDTH), .TRANSPARENT(WRITE_MODE == 1), .INIT(`GOWIN_INIT)
    ) ram (
        .write_clk(CLK), .write_en(CE & WRE), .write_addr(AD), .write_data({4'b0, DI}),
        .read_clk(CLK), .read_en(CE & (!WRE | WRITE_MODE != 0)), .read_reset(RESET), .read_addr(AD), .read_data(data)
    );
endmodule

module SPX9 #(
    parameter READ_MODE = 1'b0,
    parameter WRITE_MODE = 2'b00,
    parameter BIT_WIDTH = 36,
    parameter BLK_SEL = 3'b000,
    parameter RESET_MODE = "SYNC",
    `GOWIN_INITS(288)
) (
    input [2:0] BLKSEL,
    input CLK, CE, WRE, RESET, OCE,
    input [13:0] AD,
    input [35:0] DI,
    output [35:0] DO
);
    // With a write the port keeps what it gave (0), gives the new word (1) or the old one (2).
    wire [35:0] data;
    assign DO = data[35:0];
    gowin_block_ram #(
        .UNIT(9), .WRITE(BIT_WIDTH), .READ(BIT_WIDTH), .TRANSPARENT(WRITE_MODE == 1), .INIT(`GOWIN_INIT)
    ) ram (
        .write_clk(CLK), .write_en(CE & WRE), .write_addr(AD), .write_data(DI),
        .read_clk(CLK), .read_en(CE & (!WRE | WRITE_MODE != 0)), .read_reset(RESET), .read_addr(AD), .read_data(data)
    );
endmodule

// What one of two ports does with the shared units: with a write it keeps what it gave (0) or gives the new word (1).
`define GOWIN_PORT(WIDTH, MODE, en, write, reset, addr, data, q) \
    if (en & write) case (WIDTH) \
        2 * UNIT: for (k = 0; k < 2; k = k + 1) \
            if (addr[k]) units[{addr[13:4], k[0]}] <= data[UNIT * k +: UNIT]; \
        UNIT: units[addr[13:3]] <= data[UNIT - 1:0]; \
        4: units[addr[13:3]][{addr[2], 2'b0} +: 4] <= data[3:0]; \
        2: units[addr[13:3]][{addr[2:1], 1'b0} +: 2] <= data[1:0]; \
        default: units[addr[13:3]][addr[2:0]] <= data[0]; \
    endcase \
    if (reset) q <= 0; \
    else if (en & write) begin \
        if (MODE) q <= data; \
    end else if (en) case (WIDTH) \
        2 * UNIT: q <= {units[{addr[13:4], 1'b1}], units[{addr[13:4], 1'b0}]}; \
        UNIT: q <= units[addr[13:3]]; \
        4: q <= units[addr[13:3]][{addr[2], 2'b0} +: 4]; \
        2: q <= units[addr[13:3]][{addr[2:1], 1'b0} +: 2]; \
        default: q <= units[addr[13:3]][addr[2:0]]; \
    endcase

// Two ports that read and write, on one clock: a core has no other.
module gowin_two_ports #(
    parameter UNIT = 9,
    parameter WIDTH_A = 18,
    parameter WIDTH_B = 18,
    parameter MODE_A = 0,
    parameter MODE_B = 0,
    parameter [2048 * UNIT - 1:0] INIT = 0
) (
    input clk,
    input en_a, write_a, reset_a,
    input [13:0] addr_a,
    input [2 * UNIT - 1:0] data_a,
    output reg [2 * UNIT - 1:0] q_a,
    input en_b, write_b, reset_b,
    input [13:0] addr_b,
    input [2 * UNIT - 1:0] data_b,
    output reg [2 * UNIT - 1:0] q_b
);
    reg [UNIT - 1:0] units [0:2047];
    integer k;
    initial begin
        for (k = 0; k < 2048; k = k + 1) units[k] = INIT[UNIT * k +: UNIT];
        q_a = 0;
        q_b = 0;
    end
    always @(posedge clk) begin
        `GOWIN_PORT(WIDTH_A, MODE_A, en_a, write_a, reset_a, addr_a, data_a, q_a)
        `GOWIN_PORT(WIDTH_B, MODE_B, en_b, write_b, reset_b, addr_b, data_b, q_b)
    end
endmodule

`define GOWIN_DUAL(NAME, SIZE) \
module NAME #( \
    parameter READ_MODE0 = 1'b0, \
    parameter READ_MODE1 = 1'b0, \
    parameter WRITE_MODE0 = 2'b00, \
    parameter WRITE_MODE1 = 2'b00, \
    parameter BIT_WIDTH_0 = 2 * SIZE, \
    parameter BIT_WIDTH_1 = 2 * SIZE, \
    parameter BLK_SEL_0 = 3'b000, \
    parameter BLK_SEL_1 = 3'b000, \
    parameter RESET_MODE = "SYNC", \
    `GOWIN_INITS(32 * SIZE) \
) ( \
    input [2:0] BLKSELA, BLKSELB, \
    input CLKA, CEA, WREA, RESETA, OCEA, \
    input [13:0] ADA, \
    input [2 * SIZE - 1:0] DIA, \
    output [2 * SIZE - 1:0] DOA, \
    input CLKB, CEB, WREB, RESETB, OCEB, \
    input [13:0] ADB, \
    input [2 * SIZE - 1:0] DIB, \
    output [2 * SIZE - 1:0] DOB \
); \
    gowin_two_ports #( \
        .UNIT(SIZE), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), \
        .MODE_A(WRITE_MODE0 == 1), .MODE_B(WRITE_MODE1 == 1), .INIT(`GOWIN_INIT) \
    ) ram ( \
        .clk(CLKA), \
        .en_a(CEA), .write_a(WREA), .reset_a(RESETA), .addr_a(ADA), .data_a(DIA), .q_a(DOA), \
        .en_b(CEB), .write_b(WREB), .reset_b(RESETB), .addr_b(ADB), .data_b(DIB), .q_b(DOB) \
    ); \
endmodule

`GOWIN_DUAL(DPB, 8)

`GOWIN_DUAL(DPX9B, 9)
