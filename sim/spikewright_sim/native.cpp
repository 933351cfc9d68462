// Native loop around a Verilated core: streams samples in, compares every traced row, every score and every cycle with
// what the integer network and the cycle model expect, and writes what differs. No interpreter, no file per cycle.
//
//     spikewright_core STIMULUS EXPECTED REPORT PROGRESS SETTLE PATIENCE
//
// The first two files are streams of little-endian words; written by `native.py`, which reads the report:
//
// STIMULUS   per sample: uint32 beats, then per beat a uint64, tdata with tlast in bit 63.
// EXPECTED   per sample and layer: per step a uint32, the cycle of its first row counted from the start of the sample;
//            then per traced row the spikes and the words of the membranes, uint32 each. Per sample: per output beat a
//            uint64 of tdata; uint32 cycles in which the last beat is taken and the class is.
// PATIENCE   cycles without any sign of life after which a core is given up.
// REPORT     lines of text, see `report` and `difference`.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "Vtop.h"
#include "layers.h"
#include "verilated.h"

static const uint64_t DESCRIBED = 20;  // differences that are described; all are counted

template <class T>
static void words_of(const T& value, uint32_t* out, int words) {
    if constexpr (sizeof(T) <= 8) {
        const uint64_t wide = value;
        for (int w = 0; w < words; ++w) out[w] = uint32_t(wide >> (32 * w));
    } else {
        for (int w = 0; w < words; ++w) out[w] = value[w];
    }
}

static void read_or_die(void* to, size_t size, size_t count, FILE* file) {
    if (count && fread(to, size, count, file) != count) {
        fprintf(stderr, "native: a file ends early\n");
        exit(3);
    }
}

static uint64_t field(const uint32_t* words, int bits, int index) {
    uint64_t value = 0;
    for (int b = 0; b < bits; ++b) {
        const int at = bits * index + b;
        value |= uint64_t(words[at / 32] >> (at % 32) & 1) << b;
    }
    return value;
}

struct Expected {
    std::vector<uint32_t> cycles[LAYERS];
    std::vector<uint32_t> rows[LAYERS];
    std::vector<uint64_t> beats;
    uint32_t accepted, done;
};

int main(int argc, char** argv) {
    if (argc < 7) return 3;
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top(&context);
    FILE* stimulus = fopen(argv[1], "rb");
    FILE* expected_file = fopen(argv[2], "rb");
    FILE* report = fopen(argv[3], "w");
    if (!stimulus || !expected_file || !report) return 3;
    const uint64_t settle = strtoull(argv[5], nullptr, 10);
    const uint64_t patience = strtoull(argv[6], nullptr, 10);

    const auto cycle_low = [&] { top.clk = 0; top.eval(); };
    const auto cycle_high = [&] { top.clk = 1; top.eval(); };
    top.s_axis_tvalid = 0;
    top.m_axis_tready = 1;
    top.rst = 1;
    for (int k = 0; k < 3; ++k) cycle_low(), cycle_high();
    top.rst = 0;
    for (uint64_t k = 0; k < settle; ++k) cycle_low(), cycle_high();

    uint32_t beats = 0;
    uint32_t got[MAX_WORDS];
    for (uint32_t sample = 0; fread(&beats, 4, 1, stimulus) == 1; ++sample) {
        std::vector<uint64_t> input(beats);
        read_or_die(input.data(), 8, beats, stimulus);
        uint32_t steps = 0;
        read_or_die(&steps, 4, 1, expected_file);
        Expected expected;
        for (int k = 0; k < LAYERS; ++k) {
            expected.cycles[k].resize(steps);
            expected.rows[k].resize(size_t(steps) * ROWS[k] * (1 + WORDS[k]));
            read_or_die(expected.cycles[k].data(), 4, steps, expected_file);
            read_or_die(expected.rows[k].data(), 4, expected.rows[k].size(), expected_file);
        }
        expected.beats.resize(CLASSES + 1);
        read_or_die(expected.beats.data(), 8, CLASSES + 1, expected_file);
        read_or_die(&expected.accepted, 4, 1, expected_file);
        read_or_die(&expected.done, 4, 1, expected_file);

        uint64_t mismatches = 0, cycle_mismatches = 0, described[2] = {};
        uint64_t cycle = 0, last_sign = 0;
        size_t seen[LAYERS] = {};
        size_t sent = 0, received = 0;
        uint64_t accepted = 0, done = 0, last_data = 0;
        bool finished = false;
        // difference <sample> <kind> <layer> <step> <position or beat> <expected> <got>
        const auto difference = [&](const char* kind, int layer, uint64_t step, uint64_t index, uint64_t want, uint64_t is) {
            // A wrong value soon makes every cycle wrong: neither may crowd out the other.
            const bool of_cycles = !strcmp(kind, "cycle") || !strcmp(kind, "accepted") || !strcmp(kind, "done");
            if (described[of_cycles]++ < DESCRIBED)
                fprintf(report, "difference %u %s %d %llu %llu %llu %llu\n", sample, kind, layer, (unsigned long long)step,
                        (unsigned long long)index, (unsigned long long)want, (unsigned long long)is);
        };
        while (!finished && cycle - last_sign < patience) {
            const bool offered = sent < input.size();
            top.s_axis_tvalid = offered;
            if (offered) {
                top.s_axis_tdata = input[sent] & ~(1ull << 63);
                top.s_axis_tlast = input[sent] >> 63;
            }
            cycle_low();
            if (offered && top.s_axis_tready) {
                accepted = cycle;
                last_sign = cycle;
                ++sent;
            }
            const uint32_t valid = top.trace_valid;
            for (int k = 0; k < LAYERS; ++k) {
                if (!(valid >> k & 1)) continue;
                last_sign = cycle;
                uint32_t row = 0, spikes = 0;
                read_trace(top, k, row, spikes, got);
                const size_t index = seen[k]++;
                const uint64_t step = index / ROWS[k];
                if (step >= steps) {
                    ++mismatches, difference("extra", k, step, row, 0, 1);
                    continue;
                }
                if (row != index % ROWS[k]) ++mismatches, difference("row", k, step, 0, index % ROWS[k], row);
                if (index % ROWS[k] == 0 && cycle != expected.cycles[k][step])
                    ++cycle_mismatches, difference("cycle", k, step, 0, expected.cycles[k][step], cycle);
                const uint32_t* want = &expected.rows[k][index * (1 + WORDS[k])];
                if (spikes == want[0] && !memcmp(got, want + 1, 4 * WORDS[k])) continue;
                for (int lane = 0; lane < LANES[k]; ++lane) {
                    const uint64_t position = index % ROWS[k] * LANES[k] + lane;
                    if ((spikes ^ want[0]) >> lane & 1)
                        ++mismatches, difference("spike", k, step, position, want[0] >> lane & 1, spikes >> lane & 1);
                    const uint64_t a = field(want + 1, BITS[k], lane), b = field(got, BITS[k], lane);
                    if (a != b) ++mismatches, difference("membrane", k, step, position, a, b);
                }
            }
            if (top.m_axis_tvalid) {
                last_sign = cycle;
                last_data = top.m_axis_tdata;
                const uint64_t want = received < expected.beats.size() ? expected.beats[received] : 0;
                const bool last = received + 1 == expected.beats.size();
                if (last_data != want || bool(top.m_axis_tlast) != last)
                    ++mismatches, difference(last ? "class" : "score", 0, 0, received, want, last_data);
                ++received;
                if (top.m_axis_tlast) finished = true, done = cycle;
            }
            cycle_high();
            ++cycle;
        }
        top.s_axis_tvalid = 0;
        if (!finished) ++mismatches, difference("hung", 0, 0, 0, 0, cycle);
        for (int k = 0; k < LAYERS; ++k)
            if (seen[k] < size_t(steps) * ROWS[k]) ++mismatches, difference("missing", k, seen[k] / ROWS[k], 0, 1, 0);
        if (accepted != expected.accepted)
            ++cycle_mismatches, difference("accepted", 0, 0, 0, expected.accepted, accepted);
        if (done != expected.done) ++cycle_mismatches, difference("done", 0, 0, 0, expected.done, done);
        // sample <number> <mismatches> <cycle mismatches> <cycles> <data of the last beat>
        fprintf(report, "sample %u %llu %llu %llu %llu\n", sample, (unsigned long long)mismatches,
                (unsigned long long)cycle_mismatches, (unsigned long long)(done + 1), (unsigned long long)last_data);
        if (FILE* progress = fopen(argv[4], "w")) {
            fprintf(progress, "%u", sample + 1);
            fclose(progress);
        }
        if (!finished) break;  // whatever a core does after it hung says nothing
        for (uint64_t k = 0; k < settle; ++k) cycle_low(), cycle_high();
    }
    fprintf(report, "end\n");
    return fclose(report) ? 3 : 0;
}
