// Plays a stimulus to a core and its mutants, and tells of each whether a regression would see a difference: by a value
// that the core gives, or by the cycle of one. Compiled with COVERAGE, it writes `coverage.dat`.
//
//     spikewright_core STIMULUS MUTANTS
//
// STIMULUS   little-endian; per sample: uint32 flags, uint32 beats, then per beat a uint64, tdata with tlast in bit 63.
//            Flags: 1: starts in an idle core, 2: random pauses at both ends, 4: a reset (of one cycle with pauses, else
//            of three) cuts it off after the cycles in bits 8 and up, and nothing of it counts, 8: results are rarely
//            taken, 16: the next sample follows its last beat, and not its result.
// MUTANTS    number of mutants; compiled with MUTANTS, input `mutsel` of the core chooses one, and 0 is the core.
// Output     a line each: number, and `values`, `cycles` or `equal`. As the cycle model tells of samples without pauses
//            only, only their cycles count, from the first beat since the core had nothing to answer.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core.h"

static const uint64_t LONGEST = 20000;  // cycles of a sample; some mutants never rest

struct Sample {
    uint32_t flags;
    std::vector<uint64_t> beats;
};

struct Hash {
    uint64_t state = 0xcbf29ce484222325ull;
    void add(uint64_t value) { state = (state ^ value) * 0x100000001b3ull, state ^= state >> 29; }
};

struct Run {
    Vtop top;
    Hash of_layer[LAYERS], of_results, cycles;
    uint64_t cycle = 0, origin = 0, random = 88172645463325252ull;
    size_t unanswered = 0;  // samples
    bool timed = false, held = false;
    uint64_t held_data = 0, held_last = 0;
    explicit Run(VerilatedContext* context, int mutant) : top(context) {
#ifdef MUTANTS
        top.mutsel = mutant;
#endif
    }
    bool chance(unsigned of_16) { return draw(random) % 16 < of_16; }
    void low() { top.clk = 0, top.eval(); }
    void high() { top.clk = 1, top.eval(), ++cycle; }
    void reset(int cycles) {
        top.s_axis_tvalid = 0, top.m_axis_tready = 1, top.rst = 1;
        for (int k = 0; k < cycles; ++k) low(), high();
        top.rst = 0;
        unanswered = 0, held = false;
    }
    void count() {
        if (timed) cycles.add(cycle - origin);
    }
    // What the trace shows in this cycle; true if anything.
    bool look() {
        const uint32_t valid = top.trace_valid;
        for (int k = 0; k < LAYERS; ++k) {
            if (!(valid >> k & 1)) continue;
            uint32_t row = 0, spikes[MAX_SPIKE_WORDS], v[MAX_WORDS];
            read_trace(top, k, row, spikes, v);
            of_layer[k].add(row), of_layer[k].add(spikes[0]), count();
            for (int w = 1; w < SPIKE_WORDS[k]; ++w) of_layer[k].add(spikes[w]);
            for (int w = 0; w < WORDS[k]; ++w) of_layer[k].add(v[w]);
        }
        return valid;
    }
    void play(const Sample& sample) {
        const bool pauses = sample.flags & 2, cut = sample.flags & 4, slow = sample.flags & 8, ahead = sample.flags & 16;
        if (sample.flags & 1)
            for (int k = 0; k < 300; ++k) low(), high();
        const uint64_t begin = cycle;
        if (!unanswered) origin = begin, timed = true;
        if (pauses || cut || slow) timed = false;
        Hash before[LAYERS + 1];
        for (int k = 0; k < LAYERS; ++k) before[k] = of_layer[k];
        before[LAYERS] = of_results;
        size_t sent = 0;
        bool offered = false, dead = true;
        ++unanswered;
        for (uint64_t quiet = 0; quiet < 1500 && cycle - begin < LONGEST;) {
            if (!offered && sent < sample.beats.size() && !(pauses && chance(5))) {
                offered = true;
                top.s_axis_tdata = sample.beats[sent] & ~(1ull << 63);
                top.s_axis_tlast = sample.beats[sent] >> 63;
            }
            top.s_axis_tvalid = offered;
            top.m_axis_tready = !((pauses && chance(5)) || (slow && chance(15)));
            low();
            ++quiet;
            if (offered && top.s_axis_tready) offered = false, quiet = 0, ++sent, count();
            if (look()) quiet = 0;
            if (held && (!top.m_axis_tvalid || top.m_axis_tdata != held_data || top.m_axis_tlast != held_last))
                of_results.add(0xbad);  // a beat that is offered stays until it is taken
            held = top.m_axis_tvalid && !top.m_axis_tready;
            held_data = top.m_axis_tdata, held_last = top.m_axis_tlast;
            if (top.m_axis_tvalid && top.m_axis_tready) {
                of_results.add(top.m_axis_tdata), of_results.add(top.m_axis_tlast), count();
                quiet = 0;
                if (top.m_axis_tlast && unanswered) --unanswered;
            }
            high();
            dead = false;
            if (!unanswered || (ahead && sent == sample.beats.size())) break;
            if (cut && cycle - begin > sample.flags >> 8) break;
            dead = true;
        }
        if (cut) {
            for (int k = 0; k < LAYERS; ++k) of_layer[k] = before[k];
            of_results = before[LAYERS];
            reset(pauses ? 1 : 3);
        } else if (dead) {
            of_results.add(0xdead), unanswered = 0;  // nothing more comes
        }
    }
    // Of all values, each layer by itself: which layer is ahead is a matter of cycles.
    uint64_t values() const {
        Hash all = of_results;
        for (const Hash& hash : of_layer) all.add(hash.state);
        return all.state;
    }
};

int main(int argc, char** argv) {
    if (argc < 3) return 3;
    FILE* file = fopen(argv[1], "rb");
    if (!file) return 3;
    std::vector<Sample> samples;
    uint32_t head[2];
    while (fread(head, 4, 2, file) == 2) {
        samples.push_back({head[0], std::vector<uint64_t>(head[1])});
        if (fread(samples.back().beats.data(), 8, head[1], file) != head[1]) return 3;
    }
    std::vector<uint64_t> intact;  // of the values, after every sample
    Hash intact_cycles;
    for (int mutant = 0; mutant <= atoi(argv[2]); ++mutant) {
        VerilatedContext context;
        context.randReset(2);
        context.randSeed(1);
        Run run(&context, mutant);
        run.reset(3);
        bool differs = false;
        for (size_t k = 0; k < samples.size() && !differs; ++k) {
            run.play(samples[k]);
            // What was given before the next sample depends on the cycles.
            const uint64_t values = samples[k].flags & 16 ? 0 : run.values();
            if (mutant == 0) intact.push_back(values);
            differs = values != intact[k];
        }
        if (mutant == 0) intact_cycles = run.cycles;
#ifdef COVERAGE
        context.coveragep()->write("coverage.dat");
#endif
        const bool cycles = run.cycles.state != intact_cycles.state;
        printf("%d %s\n", mutant, differs ? "values" : cycles ? "cycles" : "equal");
        fflush(stdout);
    }
    return 0;
}
