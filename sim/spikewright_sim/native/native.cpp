// Native loop around a Verilated core: streams samples in, compares every traced row, every score and every cycle with
// what the integer network and the cycle model expect, and writes what differs. No interpreter, no file per cycle.
//
//     spikewright_core name=value ...
//
// Files, streams of little-endian words written by `native.py`, which reads the report:
//
// stimulus   per sample: uint32 beats, then per beat a uint64, tdata with tlast in bit 63.
// expected   per sample: uint32 steps; per layer and traced row the spikes and the words of the membranes, uint32 each;
//            per output beat a uint64 of tdata.
// timing     per sample, in cycles from the one in which its first beat is offered: per layer and step a uint32, that
//            of the first row; two uint32, in which the last beat is taken and the class is. Empty: not compared.
// report     lines of text, see `difference` and "sample".
// weights    the load image; empty if the core needs none. It is sent after every reset; exit status 4 if it is refused.
// progress   number of samples that are through.
//
// Numbers: `settle` idle cycles before the first sample and, unless `close` is 1, between samples (a sample otherwise
// follows at once, while the one before is still in the core); `patience` cycles without any sign of life after which a
// core is given up; `stall` of 1024 cycles of input and output pause, drawn from `seed`; `repeat` passes over the files;
// `false_start` cycles of the first sample are cut off by a reset before all. A loop compiled with traces writes `wave`
// of the sample number `dump`, and ends with it; or, if `whole` is 1, of all that it does. One that counts changes of
// nets does so from the sample `dump` to the last one.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "core.h"
#if VM_TRACE_SAIF
#include "verilated_saif_c.h"
using Wave = VerilatedSaifC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Wave = VerilatedVcdC;
#endif

static const uint64_t DESCRIBED = 20;  // differences of a sample that are described; all are counted

static uint64_t field(const uint32_t* words, int bits, int index) {
    uint64_t value = 0;
    for (int b = 0; b < bits; ++b) {
        const int at = bits * index + b;
        value |= uint64_t(words[at / 32] >> (at % 32) & 1) << b;
    }
    return value;
}

static std::string option(int argc, char** argv, const char* name, const char* absent = "") {
    const size_t length = strlen(name);
    for (int k = 1; k < argc; ++k)
        if (!strncmp(argv[k], name, length) && argv[k][length] == '=') return argv[k] + length + 1;
    return absent;
}

static uint64_t number(int argc, char** argv, const char* name, const char* absent = "0") {
    return strtoull(option(argc, argv, name, absent).c_str(), nullptr, 10);
}

struct Sample {
    uint64_t number, start = 0;
    std::vector<uint64_t> input, beats;
    std::vector<uint32_t> cycles[LAYERS], rows[LAYERS];
    uint32_t steps, accepted, done;
    bool timed = false;
    size_t seen[LAYERS] = {}, received = 0;
    uint64_t mismatches = 0, cycle_mismatches = 0, described[2] = {};
};

// The files, read sample after sample, and from the beginning again `repeat` times.
struct Source {
    FILE *stimulus, *expected, *timing;
    uint64_t passes, next = 0;

    static void read(void* to, size_t size, size_t count, FILE* file) {
        if (count && fread(to, size, count, file) != count) {
            fprintf(stderr, "native: a file ends early\n");
            exit(3);
        }
    }
    static bool begins(uint32_t& first, FILE* file) { return fread(&first, 4, 1, file) == 1; }

    bool load(Sample& sample) {
        uint32_t beats = 0;
        if (!begins(beats, stimulus)) {
            if (passes <= 1 || next == 0) return false;
            --passes;
            rewind(stimulus), rewind(expected);
            if (!begins(beats, stimulus)) return false;
        }
        sample.number = next++;
        sample.input.resize(beats);
        read(sample.input.data(), 8, beats, stimulus);
        read(&sample.steps, 4, 1, expected);
        for (int k = 0; k < LAYERS; ++k) {
            sample.rows[k].resize(size_t(sample.steps) * ROWS[k] * (SPIKE_WORDS[k] + WORDS[k]));
            read(sample.rows[k].data(), 4, sample.rows[k].size(), expected);
        }
        sample.beats.resize(CLASSES + 1);
        read(sample.beats.data(), 8, CLASSES + 1, expected);
        uint32_t first = 0;
        sample.timed = begins(first, timing);
        if (!sample.timed) rewind(timing), sample.timed = begins(first, timing);
        if (!sample.timed) return true;
        fseek(timing, -4, SEEK_CUR);
        for (int k = 0; k < LAYERS; ++k) {
            sample.cycles[k].resize(sample.steps);
            read(sample.cycles[k].data(), 4, sample.steps, timing);
        }
        read(&sample.accepted, 4, 1, timing);
        read(&sample.done, 4, 1, timing);
        return true;
    }
};

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    context.timeunit(-9), context.timeprecision(-9);  // of a waveform, whose cycles then are of 2 ns
    const uint64_t settle = number(argc, argv, "settle"), patience = number(argc, argv, "patience", "1000000");
    const uint64_t stall = number(argc, argv, "stall"), close = number(argc, argv, "close");
    const uint64_t false_start = number(argc, argv, "false_start");
    FILE* report = fopen(option(argc, argv, "report").c_str(), "w");
    Source source{fopen(option(argc, argv, "stimulus").c_str(), "rb"), fopen(option(argc, argv, "expected").c_str(), "rb"),
                  fopen(option(argc, argv, "timing").c_str(), "rb"), number(argc, argv, "repeat", "1")};
    if (!source.stimulus || !source.expected || !source.timing || !report) return 3;
#if VM_TRACE
    const uint64_t dump = number(argc, argv, "dump"), whole = number(argc, argv, "whole");
    Wave wave;
    context.traceEverOn(true);
#endif
    Vtop top(&context);
#if VM_TRACE
    top.trace(&wave, 99);
    if (whole) wave.open(option(argc, argv, "wave").c_str());
    const auto record = [&] { if (wave.isOpen()) wave.dump(context.time()); };
#else
    const auto record = [] {};
#endif
    const auto cycle_low = [&] { top.clk = 0, top.eval(), record(), context.timeInc(1); };
    const auto cycle_high = [&] { top.clk = 1, top.eval(), record(), context.timeInc(1); };
    uint64_t random = number(argc, argv, "seed") * 0x9E3779B97F4A7C15u + 1;
    const auto pauses = [&] { return draw(random) % 1024 < stall; };
    const auto offer = [&](uint64_t beat) {
        top.s_axis_tvalid = 1;
        top.s_axis_tdata = beat & ~(1ull << 63);
        top.s_axis_tlast = beat >> 63;
    };
    const auto reset = [&] {
        top.s_axis_tvalid = 0;
        top.rst = 1;
        for (int k = 0; k < 3; ++k) cycle_low(), cycle_high();
        top.rst = 0;
    };

    std::vector<uint8_t> weights;
    if (FILE* file = fopen(option(argc, argv, "weights").c_str(), "rb")) {
        uint8_t value;
        while (fread(&value, 1, 1, file) == 1) weights.push_back(value);
        fclose(file);
    }
    const auto load = [&] {
#if LOADABLE
        for (size_t k = 0; k < weights.size();) {
            top.s_load_tvalid = 1;
            top.s_load_tdata = weights[k];
            top.s_load_tlast = k + 1 == weights.size();
            cycle_low();
            k += top.s_load_tready;
            cycle_high();
        }
        top.s_load_tvalid = 0;
        for (int k = 0; k < 2; ++k) cycle_low(), cycle_high();
        cycle_low();
        if (!top.loaded || top.load_error) {
            top.final();
            exit(4);
        }
        cycle_high();
#endif
    };

    std::deque<Sample> window(1);  // in the core, or next: oldest first
    bool more = source.load(window.back());
    if (!more) window.clear();
    top.m_axis_tready = 1;
    reset();
    load();
    if (false_start && more) {
        const std::vector<uint64_t>& input = window.front().input;
        for (uint64_t k = 0, sent = 0; k < false_start && sent < input.size(); ++k) {
            offer(input[sent]);
            cycle_low();
            sent += top.s_axis_tready;
            cycle_high();
        }
        reset();
        load();
    }

    uint64_t cycle = 0, last_sign = 0, idle = settle, finished = 0;
    size_t feeding = 0, sent = 0;  // sample of the window that is sent, and its beats that were taken
    size_t tracing[LAYERS] = {};   // sample of the window that a layer is in
    bool offered = false, waiting = false;
    uint64_t waiting_data = 0, waiting_last = 0;
    uint32_t got[MAX_WORDS];
    // difference <sample> <kind> <layer> <step> <position or beat> <expected> <got>
    const auto difference = [&](Sample& sample, const char* kind, int layer, uint64_t step, uint64_t index, uint64_t want,
                                uint64_t is) {
        // A wrong value soon makes every cycle wrong: neither may crowd out the other.
        const bool of_cycles = !strcmp(kind, "cycle") || !strcmp(kind, "accepted") || !strcmp(kind, "done");
        ++(of_cycles ? sample.cycle_mismatches : sample.mismatches);
        if (sample.described[of_cycles]++ < DESCRIBED)
            fprintf(report, "difference %llu %s %d %llu %llu %llu %llu\n", (unsigned long long)sample.number, kind, layer,
                    (unsigned long long)step, (unsigned long long)index, (unsigned long long)want, (unsigned long long)is);
    };
    const auto finish = [&](Sample& sample, uint64_t cycles, uint64_t data) {
        for (int k = 0; k < LAYERS && TRACED; ++k)
            if (sample.seen[k] < size_t(sample.steps) * ROWS[k])
                difference(sample, "missing", k, sample.seen[k] / ROWS[k], 0, 1, 0);
        // sample <number> <mismatches> <cycle mismatches> <cycles> <data of the last beat>
        fprintf(report, "sample %llu %llu %llu %llu %llu\n", (unsigned long long)sample.number,
                (unsigned long long)sample.mismatches, (unsigned long long)sample.cycle_mismatches,
                (unsigned long long)cycles, (unsigned long long)data);
        ++finished;
        if (FILE* progress = fopen(option(argc, argv, "progress").c_str(), "w")) {
            fprintf(progress, "%llu", (unsigned long long)finished);
            fclose(progress);
        }
    };
    while (!window.empty() && cycle - last_sign < patience) {
        // A sample begins in an idle core, or right behind the one before.
        bool begin = idle == 0 && !offered && (sent || feeding == 0 || close);
        if (idle) --idle, last_sign = cycle;
        if (begin && feeding == window.size()) {
            window.emplace_back();
            more = more && source.load(window.back());
            if (!more) window.pop_back();
            begin = more;
        }
        if (begin && (!stall || !pauses())) {
            Sample& sample = window[feeding];
            if (!sent) {
                sample.start = cycle;
#if VM_TRACE
                if (sample.number == dump && !wave.isOpen()) wave.open(option(argc, argv, "wave").c_str());
#endif
            }
            offer(sample.input[sent]);
            offered = true;
        }
        if (!offered) top.s_axis_tvalid = 0;
        const bool ready = !stall || !pauses();
        top.m_axis_tready = ready;
        cycle_low();
        if (offered && top.s_axis_tready) {
            Sample& sample = window[feeding];
            last_sign = cycle;
            offered = false;
            if (++sent == sample.input.size()) {
                if (sample.timed && cycle - sample.start != sample.accepted)
                    difference(sample, "accepted", 0, 0, 0, sample.accepted, cycle - sample.start);
                ++feeding, sent = 0;
            }
        }
        const uint32_t valid = rows_of(top);
        for (int k = 0; k < LAYERS; ++k) {
            if (!(valid >> k & 1)) continue;
            last_sign = cycle;
            uint32_t row = 0, spikes[MAX_SPIKE_WORDS];
            read_trace(top, k, row, spikes, got);
            if (tracing[k] == window.size()) {
                difference(window.back(), "extra", k, window.back().steps, row, 0, 1);
                continue;
            }
            Sample& sample = window[tracing[k]];
            const size_t index = sample.seen[k]++;
            const uint64_t step = index / ROWS[k];
            if (index + 1 == size_t(sample.steps) * ROWS[k]) ++tracing[k];
            if (row != index % ROWS[k]) difference(sample, "row", k, step, 0, index % ROWS[k], row);
            if (index % ROWS[k] == 0 && sample.timed && cycle - sample.start != sample.cycles[k][step])
                difference(sample, "cycle", k, step, 0, sample.cycles[k][step], cycle - sample.start);
            const uint32_t* want = &sample.rows[k][index * (SPIKE_WORDS[k] + WORDS[k])];
            const uint32_t* membranes = want + SPIKE_WORDS[k];
            if (!memcmp(spikes, want, 4 * SPIKE_WORDS[k]) && !memcmp(got, membranes, 4 * WORDS[k])) continue;
            for (int lane = 0; lane < LANES[k]; ++lane) {
                const uint64_t position = index % ROWS[k] * LANES[k] + lane;
                uint64_t a = field(want, SPIKE_BITS[k], lane), b = field(spikes, SPIKE_BITS[k], lane);
                if (a != b) difference(sample, "spike", k, step, position, a, b);
                a = field(membranes, BITS[k], lane), b = field(got, BITS[k], lane);
                if (a != b) difference(sample, "membrane", k, step, position, a, b);
            }
        }
        Sample& oldest = window.front();
        if (waiting && (!top.m_axis_tvalid || top.m_axis_tdata != waiting_data || top.m_axis_tlast != waiting_last))
            difference(oldest, "unstable", 0, 0, oldest.received, waiting_data, top.m_axis_tdata);
        waiting = top.m_axis_tvalid && !ready;
        waiting_data = top.m_axis_tdata;
        waiting_last = top.m_axis_tlast;
        if (top.m_axis_tvalid && ready) {
            last_sign = cycle;
            const uint64_t want = oldest.received < oldest.beats.size() ? oldest.beats[oldest.received] : 0;
            const bool last = oldest.received + 1 == oldest.beats.size();
            if (waiting_data != want || bool(waiting_last) != last)
                difference(oldest, last ? "class" : "score", 0, 0, oldest.received, want, waiting_data);
            ++oldest.received;
            if (waiting_last) {
                const uint64_t done = cycle - oldest.start;
                if (oldest.timed && done != oldest.done) difference(oldest, "done", 0, 0, 0, oldest.done, done);
                // An answer before the last beat: what is left of the sample would be taken for the next one.
                if (!feeding) difference(oldest, "early", 0, 0, sent, oldest.input.size(), sent);
                finish(oldest, done + 1, waiting_data);
#if VM_TRACE && !VM_TRACE_SAIF
                if (oldest.number == dump && !whole) break;
#endif
                if (!feeding) break;
                window.pop_front();
                --feeding;
                for (size_t& index : tracing) index -= index > 0;
                if (!close) idle = settle;
                if (window.empty() && more) {
                    window.emplace_back();
                    more = source.load(window.back());
                    if (!more) window.pop_back();
                }
            }
        }
        cycle_high();
        ++cycle;
    }
    if (!window.empty() && cycle - last_sign >= patience) {
        // Whatever a core does after it hung says nothing.
        difference(window.front(), "hung", 0, 0, 0, 0, cycle - window.front().start);
        finish(window.front(), 0, 0);
    }
#if VM_TRACE
    if (wave.isOpen()) wave.close();
#endif
    top.final();
    fprintf(report, "end\n");
    const bool unwritten = ferror(report);
    return fclose(report) || unwritten ? 3 : 0;
}
