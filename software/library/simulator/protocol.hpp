// AXI4 as the memory sees it: what travels on its channels, and the rules that a master must keep.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace orbis {

constexpr unsigned OKAY = 0, SLVERR = 2, DECERR = 3, INCR = 1;

// What a master holds on an address channel until it is taken.
struct Address {
    uint64_t address;
    unsigned length, id, size, burst;
    bool operator==(const Address& other) const {
        return address == other.address && length == other.length && id == other.id &&
               size == other.size && burst == other.burst;
    }
};

template <unsigned BYTES>
struct Beat {
    std::array<uint8_t, BYTES> data;
    std::array<uint8_t, (BYTES + 7) / 8> strobe;
    bool last;
    bool operator==(const Beat& other) const {
        return data == other.data && strobe == other.strobe && last == other.last;
    }
};

template <unsigned BYTES>
struct Burst {
    uint64_t address;
    unsigned beats, id;
    uint64_t due;  // cycle from which it may be answered
    std::vector<Beat<BYTES>> data;
    bool spoilt = false;  // it is answered with an error
};

enum Channel : unsigned { AR, R, AW, W, B, CHANNELS };

// Memory that misbehaves from a transfer on, which is counted on its channel from 0.
struct Fault {
    unsigned channel = CHANNELS;  // this one for none
    bool silent = false;          // no transfer from there on, in place of an error in that one
    uint64_t number = 0;
    uint64_t seen[CHANNELS] = {};  // transfers of each channel, since the fault was set

    bool silences(Channel which) const {
        return silent && which == channel && seen[which] >= number;
    }

    // Counts a transfer; whether it is the one to be answered with an error.
    bool spoils(Channel which) {
        return seen[which]++ == number && !silent && which == channel;
    }
};

// The first rule that was broken, in words; empty while all are kept.
class Referee {
   public:
    void require(bool kept, const char* otherwise, uint64_t cycle) {
        if (!kept && words.empty()) words = otherwise + (" in cycle " + std::to_string(cycle));
    }

    // Where a burst may lie: AMBA IHI 0022, A3.4.1.
    void legal(const Address& burst, unsigned bytes, uint64_t cycle) {
        const uint64_t end = burst.address + static_cast<uint64_t>(burst.length) * bytes;
        require(burst.burst == INCR, "a burst does not increment", cycle);
        require(1u << burst.size == bytes, "a burst is not as wide as the bus", cycle);
        require(burst.address % bytes == 0, "a burst is not aligned to a beat", cycle);
        require(burst.address >> 12 == end >> 12, "a burst crosses a 4 KiB boundary", cycle);
    }

    bool content() const { return words.empty(); }
    void forgive() { words.clear(); }
    const char* verdict() const { return words.c_str(); }

   private:
    std::string words;
};

// What may not change, nor lose its valid, between valid and ready.
template <typename Value>
class Held {
   public:
    bool waiting() const { return wait; }

    // Whether the rule was kept; to be called in every cycle with valid or waiting.
    bool keeps(bool valid, bool ready, const Value& now) {
        const bool kept = !wait || (valid && value == now);
        wait = valid && !ready;
        if (wait) value = now;
        return kept;
    }

   private:
    bool wait = false;
    Value value{};
};

class Random {  // xorshift64
   public:
    explicit Random(uint64_t seed) : state((seed + 1) * 0x9E3779B97F4A7C15u | 1) {
        for (int i = 0; i < 8; ++i) next();
    }
    uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }

   private:
    uint64_t state;
};

}  // namespace orbis
