// A board in software: its top level, Verilated, whose serial line ends in a pseudo-terminal.
//
//     top MASTER CLOCK IDLE
//
// MASTER     number of the open file that is the pseudo-terminal's far end.
// CLOCK      of the board, in Hz. The line has the rate that the host's end of the terminal is set to: a wrong one is
//            heard as on a real line.
// IDLE       cycles without a bit on the line after which it waits for the host, instead of running on.
// Input      a word a line: `break` holds the line low, and forgets what the host sent; `drop N` loses the Nth byte from
//            now on; `pull` pulls the cable; `times` asks for cycles; `idle` asks whether there is nothing left to do.
//            It ends with its input.
// Output     a line for each of them.
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>

#include "Vtop.h"
#include "verilated.h"

struct Line {
    Vtop& top;
    int master;
    double clock;
    uint64_t cycle = 0, active = 0;
    double bit = 0;                                // cycles of a bit, as the host has set its end
    std::deque<uint8_t> in, out;                   // bytes of the host, and for it
    unsigned sending = 0, sent_bits = 10;          // the byte under way to the board, with start and stop bit
    double next_bit = 0;
    bool listening = false;
    unsigned heard = 0, heard_bits = 0;
    double next_sample = 0;
    uint64_t drop = 0, last_in = 0, first_out = 0;  // cycles: end of the last byte sent, first answer to it
    int low = 0;                                   // bits that a break goes on for

    void rate() {
        struct termios2 now;
        bit = ioctl(master, TCGETS2, &now) == 0 && now.c_ospeed ? clock / now.c_ospeed : clock / 1e6;
    }
    void look() {
        uint8_t buffer[512];
        const ssize_t got = read(master, buffer, sizeof buffer);
        if (got <= 0) return;
        rate();
        for (ssize_t k = 0; k < got; ++k)
            if (!drop || --drop) in.push_back(buffer[k]);
    }
    void forget() {
        uint8_t buffer[4096];
        while (read(master, buffer, sizeof buffer) > 0) {}
        in.clear(), out.clear(), listening = false;
        sent_bits = 10, rate(), low = 30, next_bit = cycle;
    }
    bool busy() const { return sent_bits < 10 || !in.empty() || listening || low; }
    void tick() {
        if (cycle >= next_bit) {
            if (low) {
                top.rx = --low < 10;  // longer than a byte, then at rest
                next_bit = cycle + bit, active = cycle;
            } else if (sent_bits < 10) {
                top.rx = sending >> sent_bits++ & 1;
                next_bit += bit, active = cycle;
                if (sent_bits == 10) last_in = uint64_t(next_bit), first_out = 0;
            } else if (!in.empty()) {
                sending = in.front() << 1 | 1 << 9, in.pop_front();
                top.rx = 0, sent_bits = 1;
                next_bit = cycle + bit, active = cycle;
            }
        }
        top.clk = 0, top.eval();
        top.clk = 1, top.eval();
        ++cycle;
        if (!listening && !top.tx) {
            listening = true, heard = heard_bits = 0, next_sample = cycle + 1.5 * bit;
            if (!first_out) first_out = cycle;
        }
        if (listening) {
            active = cycle;
            if (cycle >= next_sample) {
                if (heard_bits < 8) {
                    heard |= top.tx << heard_bits++;
                    next_sample += bit;
                } else {
                    out.push_back(heard), listening = false;
                }
            }
        }
    }
    void deliver() {
        while (!out.empty()) {
            const uint8_t byte = out.front();
            if (write(master, &byte, 1) != 1) break;
            out.pop_front();
        }
    }
};

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top(&context);
    if (argc < 4) return 2;
    Line line{top, atoi(argv[1]), atof(argv[2])};
    const uint64_t idle = strtoull(argv[3], nullptr, 10);
    fcntl(line.master, F_SETFL, O_NONBLOCK), fcntl(0, F_SETFL, O_NONBLOCK);
    top.rx = 1, top.rst = 1, line.rate();
    for (int k = 0; k < 16; ++k) line.tick();
    top.rst = 0;
    std::string command;
    bool resting = false, broken = false;
    for (;;) {
        char letters[256];
        const ssize_t got = read(0, letters, sizeof letters);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return 0;
        for (ssize_t k = 0; k < got; ++k) {
            if (letters[k] != '\n') {
                command += letters[k];
                continue;
            }
            if (command == "break") {
                line.forget(), broken = true;
            } else if (command == "pull") {
                close(line.master), line.master = -1, puts("pulled");
            } else if (command == "times") {
                printf("%llu %llu\n", (unsigned long long)line.last_in, (unsigned long long)line.first_out);
            } else if (command == "idle") {
                line.look();
                puts(resting && !line.busy() && line.out.empty() ? "1" : "0");
            } else if (command.rfind("drop ", 0) == 0) {
                line.drop = strtoull(command.c_str() + 5, nullptr, 10), puts("dropping");
            }
            fflush(stdout), command.clear();
        }
        if (line.in.empty()) line.look();
        resting = !line.busy() && line.cycle - line.active > idle;
        if (resting) {
            struct pollfd files[2] = {{0, POLLIN, 0}, {line.master, POLLIN, 0}};
            poll(files, line.master < 0 ? 1 : 2, 20);
            if (line.in.empty()) line.look();
            if (line.in.empty()) continue;
            line.active = line.cycle;
        }
        // About as long as a byte takes.
        const int cycles = int(10 * line.bit) + 1;
        for (int k = 0; k < cycles; ++k) line.tick();
        line.deliver();
        if (broken && !line.low) broken = false, puts("done"), fflush(stdout);
    }
}
