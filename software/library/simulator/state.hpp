// The state of a simulation, to a file and back: each member of it goes through `Archive`, in the
// same order both ways.

#pragma once

#include <cerrno>
#include <deque>
#include <fstream>
#include <type_traits>
#include <vector>

#include "protocol.hpp"
#include "verilated_save.h"

namespace orbis {

// VerilatedSave would end the process where a disk is full.
class Save final : public VerilatedSerialize {
   public:
    explicit Save(const char* path) : file(path, std::ios::binary) {
        note_failure();
        header();
    }

    void flush() override {
        file.write(reinterpret_cast<const char*>(m_bufp), m_cp - m_bufp);
        m_cp = m_bufp;
        note_failure();
    }

    // Returns 0, or the errno of what failed first.
    int end() {
        trailer();
        flush();
        file.close();
        note_failure();
        return error;
    }

   private:
    void note_failure() {
        if (file.fail() && !error) error = errno ? errno : EIO;
    }

    std::ofstream file;
    int error = 0;
};

// `Stream` is Save or VerilatedRestore.
template <typename Stream>
class Archive {
   public:
    explicit Archive(Stream& stream) : stream(stream) {}

    void bytes(void* data, size_t size) {
        if constexpr (std::is_same_v<Stream, Save>) {
            stream.write(data, size);
        } else {
            stream.read(data, size);
        }
    }

    template <typename Value>
    void operator()(Value& value) {
        static_assert(std::is_trivially_copyable_v<Value>);
        bytes(&value, sizeof value);
    }

    template <typename Value>
    void operator()(std::vector<Value>& values) {
        sized(values);
        if constexpr (sizeof(Value) == 1) {
            bytes(values.data(), values.size());
        } else {
            for (Value& value : values) (*this)(value);
        }
    }

    template <typename Value>
    void operator()(std::deque<Value>& values) {
        sized(values);
        for (Value& value : values) (*this)(value);
    }

    template <unsigned BYTES>
    void operator()(Burst<BYTES>& burst) {
        (*this)(burst.address);
        (*this)(burst.beats);
        (*this)(burst.id);
        (*this)(burst.due);
        (*this)(burst.data);
        (*this)(burst.spoilt);
    }

   private:
    template <typename Values>
    void sized(Values& values) {
        uint64_t size = values.size();
        (*this)(size);
        values.resize(size);
    }

    Stream& stream;
};

}  // namespace orbis
