// What a loop around a Verilated core needs besides the core: its traces as words, and random numbers.
#pragma once
#include <cstdint>

#include "Vtop.h"
#include "verilated.h"

// Words of a port, which Verilator makes an integer or, where it is wider, an array.
template <class T>
static void words_of(const T& value, uint32_t* out, int words) {
    if constexpr (sizeof(T) <= 8) {
        const uint64_t wide = value;
        for (int w = 0; w < words; ++w) out[w] = uint32_t(wide >> (32 * w));
    } else {
        for (int w = 0; w < words; ++w) out[w] = value[w];
    }
}

// xorshift64 (Marsaglia 2003), without its lowest bits.
static uint64_t draw(uint64_t& state) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state >> 20;
}

#include "layers.h"  // by traces.py, and needs the above
