// One simulated engine with its memory, driven through a C interface.
//
// Every object stands alone: there are no globals, so two can run in two threads.

#include <cstdint>
#include <memory>
#include <new>

#include "Engine.h"
#include "axi_memory.hpp"
#include "state.hpp"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

#define LITE(name) top->control___05F##name

namespace {

enum Status : int { LIMIT = 0, INTERRUPT = 1, FAULT = 2 };

constexpr unsigned LITE_LIMIT = 10'000;  // cycles that a register access may take

class Harness {
   public:
    Harness(uint64_t bytes, unsigned latency, double stall, uint64_t seed, const char* waves)
        : context(std::make_unique<VerilatedContext>()),
          top(std::make_unique<Engine>(context.get())),
          memory(*top, bytes, latency, stall, seed) {
#if VM_TRACE
        context->traceEverOn(true);
        trace = std::make_unique<VerilatedVcdC>();
        top->trace(trace.get(), 99);
        trace->open(waves);
#else
        (void)waves;
#endif
        LITE(awprot) = LITE(arprot) = 0;
        LITE(awvalid) = LITE(wvalid) = LITE(bready) = LITE(arvalid) = LITE(rready) = 0;
        reset(2);
    }

    ~Harness() {
        top->final();
#if VM_TRACE
        trace->close();
#endif
    }

    void reset(unsigned cycles) {
        top->rst = 1;
        memory.reset();
        for (unsigned i = 0; i < cycles; ++i) tick();
        top->rst = 0;
    }

    Status run(uint64_t limit) {
        for (uint64_t i = 0; i < limit && memory.referee.content(); ++i) {
            tick();
            if (lite.interrupt) return INTERRUPT;
        }
        return memory.referee.content() ? LIMIT : FAULT;
    }

    // Returns the response, or -1 where none came.
    int write_register(uint32_t address, uint32_t value) {
        LITE(awaddr) = address;
        LITE(wdata) = value;
        LITE(wstrb) = 0xF;
        LITE(awvalid) = LITE(wvalid) = LITE(bready) = 1;
        for (unsigned i = 0; i < LITE_LIMIT; ++i) {
            tick();
            if (lite.awready) LITE(awvalid) = 0;
            if (lite.wready) LITE(wvalid) = 0;
            if (lite.bvalid) {
                LITE(bready) = 0;
                return lite.bresp;
            }
        }
        return -1;
    }

    int read_register(uint32_t address, uint32_t& value) {
        LITE(araddr) = address;
        LITE(arvalid) = LITE(rready) = 1;
        for (unsigned i = 0; i < LITE_LIMIT; ++i) {
            tick();
            if (lite.arready) LITE(arvalid) = 0;
            if (lite.rvalid) {
                LITE(rready) = 0;
                value = lite.rdata;
                return lite.rresp;
            }
        }
        return -1;
    }

    // Writes the whole simulation; returns 0 or an errno.
    int save(const char* path) {
        orbis::Save stream(path);
        stream << *top;
        exchange(stream);
        return stream.end();
    }

    // Reads it; returns 0 or an errno. One that was kept of another design ends the process.
    int restore(const char* path) {
        VerilatedRestore stream;
        stream.open(path);
        if (!stream.isOpen()) return errno;
        stream >> *top;
        exchange(stream);
        stream.close();
        return 0;
    }

   private:
    // What the control pins showed at the last clock edge.
    struct Lite {
        bool awready, wready, bvalid, arready, rvalid, interrupt;
        uint32_t bresp, rresp, rdata;
    };

    // A clock cycle: inputs settle, handshakes are noted, the edge comes, the memory answers.
    void tick() {
        top->clk = 0;
        top->eval();
        dump(2 * cycle);
        lite = {LITE(awready) != 0, LITE(wready) != 0, LITE(bvalid) != 0,
                LITE(arready) != 0, LITE(rvalid) != 0, top->irq != 0,
                LITE(bresp),        LITE(rresp),       LITE(rdata)};
        if (!top->rst) memory.observe(cycle);
        top->clk = 1;
        top->eval();
        dump(2 * cycle + 1);
        ++cycle;
        if (!top->rst) memory.drive(cycle);
    }

    // What is not in the model.
    template <typename Stream>
    void exchange(Stream& stream) {
        orbis::Archive<Stream> archive(stream);
        archive(cycle);
        memory.exchange(archive);
    }

    void dump(uint64_t time) {
#if VM_TRACE
        trace->dump(time);
#else
        (void)time;
#endif
    }

    std::unique_ptr<VerilatedContext> context;
    std::unique_ptr<Engine> top;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif
    Lite lite{};

   public:
    orbis::AxiMemory<Engine> memory;
    uint64_t cycle = 0;
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

// Returns null where the memory cannot be had.
EXPORT Harness* orbis_create(uint64_t memory_bytes, unsigned latency, double stall, uint64_t seed,
                             const char* waves) {
    try {
        return new Harness(memory_bytes, latency, stall, seed, waves);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
EXPORT void orbis_destroy(Harness* harness) { delete harness; }
EXPORT uint8_t* orbis_memory(Harness* harness) { return harness->memory.content.data(); }
EXPORT void orbis_reset(Harness* harness, unsigned cycles) { harness->reset(cycles); }
EXPORT int orbis_run(Harness* harness, uint64_t limit) { return harness->run(limit); }
EXPORT int orbis_write_register(Harness* harness, uint32_t address, uint32_t value) {
    return harness->write_register(address, value);
}
EXPORT int orbis_read_register(Harness* harness, uint32_t address, uint32_t* value) {
    return harness->read_register(address, *value);
}
EXPORT void orbis_misbehave(Harness* harness, unsigned channel, bool silent, uint64_t number) {
    harness->memory.fault = {channel, silent, number};
}
EXPORT int orbis_save(Harness* harness, const char* path) {
    return harness->save(path);
}
EXPORT int orbis_restore(Harness* harness, const char* path) {
    return harness->restore(path);
}
EXPORT uint64_t orbis_cycles(const Harness* harness) { return harness->cycle; }
EXPORT uint64_t orbis_beats_read(const Harness* harness) { return harness->memory.beats_read; }
EXPORT uint64_t orbis_beats_written(const Harness* harness) {
    return harness->memory.beats_written;
}
EXPORT const char* orbis_fault(const Harness* harness) {
    return harness->memory.referee.verdict();
}
