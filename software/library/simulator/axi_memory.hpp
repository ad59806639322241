// The memory behind an AXI4 master's pins.
//
// It answers after a settable number of cycles and moves at most one beat each way in a cycle. Reads
// of one id come in order; those of different ids may overtake each other, and interleave where
// stalls are on. Written data lands when its response is given, so that a master that reads too
// early reads the old bytes. Bytes that nobody wrote are random.

#pragma once

#include <cstring>
#include <deque>
#include <type_traits>
#include <utility>
#include <vector>

#include "protocol.hpp"

// Verilator spells the two underscores of a port's name so.
#define AXI(name) top.axi___05F##name

namespace orbis {

// `Top` is the Verilated model; its ports are those of hw.bus.axi.Axi4 under the name `axi`.
template <typename Top>
class AxiMemory {
   public:
    static constexpr unsigned BYTES =
        sizeof(std::remove_reference_t<decltype(Top::axi___05Frdata)>);

    AxiMemory(Top& top, uint64_t bytes, unsigned latency, double stall, uint64_t seed)
        : content(bytes),
          top(top),
          random(seed),
          latency(latency),
          threshold(static_cast<uint64_t>(stall * 4294967296.0)) {
        for (auto& byte : content) byte = static_cast<uint8_t>(random.next() >> 32);
        reset();
    }

    // Drops what is under way.
    void reset() {
        for (auto& queue : reads) queue.clear();
        writes.clear();
        early.clear();
        responses.clear();
        held_ar = {};
        held_aw = {};
        held_w = {};
        beat_taken = response_taken = false;
        referee.forgive();
        AXI(arready) = AXI(rvalid) = AXI(awready) = AXI(wready) = AXI(bvalid) = 0;
    }

    // Takes note of the handshakes of the coming clock edge; changes no pin.
    void observe(uint64_t cycle) {
        observe_read(cycle);
        observe_write(cycle);
    }

    // Sets the pins for the cycle after the edge.
    void drive(uint64_t cycle) {
        AXI(arready) = reads[0].size() + reads[1].size() < MOST_BURSTS && may(AR);
        AXI(awready) = writes.size() + responses.size() < MOST_BURSTS && may(AW);
        AXI(wready) = early.empty() && may(W);
        if (beat_taken) AXI(rvalid) = 0;
        if (response_taken) AXI(bvalid) = 0;
        if (!AXI(rvalid) && may(R)) give_beat(cycle);
        if (!AXI(bvalid) && !responses.empty() && responses.front().due <= cycle && may(B)) {
            if (fault.spoils(B)) responses.front().spoilt = true;
            AXI(bresp) = responses.front().spoilt ? SLVERR : land(responses.front());
            AXI(bid) = responses.front().id;
            AXI(bvalid) = 1;
            responses.pop_front();
        }
    }

    // All that the future depends on, but the pins: the model has those.
    template <typename Archive>
    void exchange(Archive& archive) {
        archive(content);
        archive(beats_read);
        archive(beats_written);
        archive(random);
        archive(beat_taken);
        archive(response_taken);
        archive(turn);
        for (auto& queue : reads) archive(queue);
        archive(writes);
        archive(responses);
        archive(early);
        archive(held_ar);
        archive(held_aw);
        archive(held_w);
        archive(fault);
    }

    std::vector<uint8_t> content;
    Referee referee;
    Fault fault;
    uint64_t beats_read = 0, beats_written = 0;

   private:
    static constexpr unsigned MOST_BURSTS = 16;  // outstanding in each direction
    using WriteBeat = Beat<BYTES>;
    using AnyBurst = Burst<BYTES>;

    void observe_read(uint64_t cycle) {
        const bool valid = AXI(arvalid), ready = AXI(arready);
        if (valid || held_ar.waiting()) {
            const Address now{AXI(araddr), AXI(arlen), AXI(arid), AXI(arsize), AXI(arburst)};
            referee.require(held_ar.keeps(valid, ready, now), "AR changed untaken", cycle);
            if (valid && ready) {
                referee.legal(now, BYTES, cycle);
                reads[now.id & 1].push_back({now.address, now.length + 1, now.id, cycle + latency,
                                             {}, fault.spoils(AR)});
            }
        }
        beat_taken = AXI(rvalid) && AXI(rready);
        beats_read += beat_taken;
    }

    void observe_write(uint64_t cycle) {
        const bool address_valid = AXI(awvalid), data_valid = AXI(wvalid);
        if (address_valid || held_aw.waiting()) {
            const Address now{AXI(awaddr), AXI(awlen), AXI(awid), AXI(awsize), AXI(awburst)};
            const bool kept = held_aw.keeps(address_valid, AXI(awready), now);
            referee.require(kept, "AW changed untaken", cycle);
            if (address_valid && AXI(awready)) {
                referee.legal(now, BYTES, cycle);
                writes.push_back({now.address, now.length + 1, now.id, 0, {}, fault.spoils(AW)});
            }
        }
        if (data_valid || held_w.waiting()) {
            WriteBeat now;
            std::memcpy(now.data.data(), &AXI(wdata), now.data.size());
            std::memcpy(now.strobe.data(), &AXI(wstrb), now.strobe.size());
            now.last = AXI(wlast);
            const bool kept = held_w.keeps(data_valid, AXI(wready), now);
            referee.require(kept, "W changed untaken", cycle);
            if (data_valid && AXI(wready)) {
                early.push_back(now);
                ++beats_written;
            }
        }
        join_data(cycle);
        response_taken = AXI(bvalid) && AXI(bready);
    }

    // Gives data their burst; they may come before its address.
    void join_data(uint64_t cycle) {
        while (!early.empty() && !writes.empty()) {
            AnyBurst& burst = writes.front();
            burst.data.push_back(early.front());
            if (fault.spoils(W)) burst.spoilt = true;
            early.pop_front();
            const bool last = burst.data.size() == burst.beats;
            referee.require(burst.data.back().last == last, "WLAST is misplaced", cycle);
            if (last) {
                burst.due = cycle + latency;
                responses.push_back(std::move(burst));
                writes.pop_front();
            }
        }
    }

    void give_beat(uint64_t cycle) {
        const auto due = [&](unsigned id) {
            return !reads[id].empty() && reads[id].front().due <= cycle;
        };
        // A burst is given whole, unless stalls are on: then the beats of the two ids mix.
        unsigned id = turn;
        if ((threshold && random.next() >> 63) || !due(id)) id ^= 1;
        if (!due(id)) id ^= 1;
        if (!due(id)) return;
        AnyBurst& burst = reads[id].front();
        const bool inside = holds(burst.address);
        if (inside) std::memcpy(&AXI(rdata), &content[burst.address], BYTES);
        AXI(rid) = id;
        const bool spoilt = fault.spoils(R) || burst.spoilt;
        AXI(rresp) = spoilt ? SLVERR : inside ? OKAY : DECERR;
        AXI(rlast) = burst.beats == 1;
        AXI(rvalid) = 1;
        burst.address += BYTES;
        turn = id;
        if (--burst.beats == 0) {
            reads[id].pop_front();
            turn = id ^ 1;
        }
    }

    unsigned land(const AnyBurst& burst) {
        uint64_t address = burst.address;
        for (const WriteBeat& beat : burst.data) {
            if (!holds(address)) return DECERR;
            for (unsigned i = 0; i < BYTES; ++i) {
                if (beat.strobe[i / 8] >> (i % 8) & 1) content[address + i] = beat.data[i];
            }
            address += BYTES;
        }
        return OKAY;
    }

    bool holds(uint64_t address) const {
        return content.size() >= BYTES && address <= content.size() - BYTES;
    }
    bool may(Channel channel) { return !fault.silences(channel) && !stalls(); }
    bool stalls() { return threshold && (random.next() >> 32) < threshold; }

    Top& top;
    Random random;
    const unsigned latency;
    const uint64_t threshold;
    bool beat_taken = false, response_taken = false;
    unsigned turn = 0;
    std::deque<AnyBurst> reads[2], writes, responses;
    std::deque<WriteBeat> early;
    Held<Address> held_ar, held_aw;
    Held<WriteBeat> held_w;
};

}  // namespace orbis
