"""The register map: one table, from which the register block, docs and drivers follow.

``python -m hw.bus.registers`` prints docs/registers.md, and with ``header`` the C header.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from hw.config import EngineConfig

Access = Literal["ro", "rw", "w1c", "pulse"]
"""``ro`` only read; ``rw`` read and written; ``w1c`` a 1 written clears it; ``pulse`` a 1 written
acts once, and it reads 0."""

ACCESS_MEANINGS: dict[Access, str] = {
    "ro": "read only",
    "rw": "read and write",
    "w1c": "read; writing a 1 clears the bit",
    "pulse": "writing a 1 acts once; reads 0",
}

WORD_BYTES = 4


@dataclass(frozen=True)
class Field:
    """One bit of a register: ``bit`` is its place, and ``name`` its member of the block."""

    name: str
    bit: int
    access: Access
    doc: str


@dataclass(frozen=True)
class Register:
    """A register of one 32-bit word, or of two: LO at ``offset`` and HI after it.

    ``bits`` is its width: a number, or the name of the `EngineConfig` property that tells it.
    A ``fixed`` register reads a number, or the `EngineConfig` property of that name. An
    ``address`` has no bits within a beat: they read 0. Sizes have all 32 bits, so that one beyond
    the config is not cut short to a legal one: the engine refuses it (``bad_job``).
    """

    name: str
    offset: int
    access: Access
    doc: str
    bits: int | str = 32
    words: int = 1
    fixed: int | str | None = None
    address: bool = False
    fields: tuple[Field, ...] = ()

    @property
    def member(self) -> str:
        """The register block's member, or the member of its ``order``, that has the value."""
        return self.name.lower()

    def width(self, config: EngineConfig) -> int:
        """Bits of the value in an engine of that config."""
        return int(getattr(config, self.bits)) if isinstance(self.bits, str) else self.bits

    def mask(self, config: EngineConfig) -> int:
        """The bits that exist in an engine of that config; writing a 1 to others is refused."""
        if self.fields:
            return sum(1 << field.bit for field in self.fields)
        low_bits = config.bus_bytes - 1 if self.address else 0
        return ((1 << self.width(config)) - 1) & ~low_bits

    def fixed_value(self, config: EngineConfig) -> int:
        """What a ``fixed`` register reads."""
        if self.fixed is None:
            raise ValueError(f"{self.name} has no fixed value: the engine or the host sets it")
        return int(getattr(config, self.fixed)) if isinstance(self.fixed, str) else self.fixed

    @property
    def word_names(self) -> Iterator[tuple[str, int]]:
        """(name, offset) of each word."""
        if self.words == 1:
            yield self.name, self.offset
        else:
            yield f"{self.name}_LO", self.offset
            yield f"{self.name}_HI", self.offset + WORD_BYTES


def _address(name: str, offset: int, doc: str) -> Register:
    return Register(name, offset, "rw", doc, bits="address_bits", words=2, address=True)


def _counter(stage: str, offset: int, doc: str) -> Register:
    return Register(f"CYCLES_{stage}", offset, "ro", doc, bits=COUNTER_BITS, words=2)


COUNTER_BITS = 48
"""Bits of a cycle counter: three days at 1 GHz."""

ID = 0x4F52_4253
VERSION = 0x0001_0000

REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x000, "ro", "The letters `ORBS`.", fixed=ID),
    Register("VERSION", 0x004, "ro", "Version of this map: major in the upper half, minor in the"
             " lower.", fixed=VERSION),
    Register("CONFIG_HASH", 0x008, "ro", "Hash of the config that the engine was made from; a"
             " driver refuses any other than its own.", fixed="hash"),
    Register("CONTROL", 0x010, "rw", "Starts a job and sets how it runs.", fields=(
        Field("start", 0, "pulse", "Start a job with the job registers as they are."),
        Field("host_init", 1, "rw", "Take the initial dst list from the DST region instead of"
              " sampling it."),
        Field("interrupt_enable", 2, "rw", "Raise the interrupt line while `pending` is 1."),
    )),
    Register("STATUS", 0x014, "ro", "What became of the job.", fields=(
        Field("busy", 0, "ro", "A job is running: from `start` until `done`."),
        Field("done", 1, "ro", "The last job has ended, well or with an error; cleared by"
              " `start`."),
        Field("bad_job", 2, "ro", "The job registers break a rule; nothing was run."),
        Field("nonfinite", 3, "ro", "A token value is infinite or not a number."),
        Field("bus_error", 4, "ro", "Memory answered with an error."),
    )),
    Register("INTERRUPT", 0x018, "w1c", "The interrupt's cause.", fields=(
        Field("pending", 0, "w1c", "A job has ended since this bit was last cleared."),
    )),
    Register("TOKENS", 0x020, "rw", "N, the video tokens."),
    Register("CHANNELS", 0x024, "rw", "D, the channels of a token."),
    Register("NUM_DST", 0x028, "rw", "M, the dst slots."),
    Register("REDUCE", 0x02C, "rw", "K, the src to reduce."),
    Register("SEED", 0x030, "rw", "Seed of the initial dst list."),
    Register("EPSILON", 0x034, "rw", "Least relative change of L that calls for another pairing,"
             " in units of 2^-16.", bits=16),
    Register("MAX_PAIRINGS", 0x038, "rw", "Most pairings of the job."),
    Register("PAIRINGS", 0x03C, "ro", "Pairings done so far."),
    Register("MOVED_SLOTS", 0x040, "ro", "Slots whose dst moved in the last update."),
    _address("TOKENS_ADDRESS", 0x080, "Region TOKENS: the host's tokens."),
    _address("QUANTIZED_ADDRESS", 0x088, "Region QUANTIZED: the quantised tokens."),
    _address("PACKED_ADDRESS", 0x090, "Region PACKED: the dst tokens as the DAU takes them."),
    _address("RECORDS_ADDRESS", 0x098, "Region RECORDS: the pair records, sorted at the end."),
    _address("SCRATCH_ADDRESS", 0x0A0, "Region SCRATCH: as large as RECORDS, for sorting."),
    _address("DST_ADDRESS", 0x0A8, "Region DST: the initial dst list in, the final one out."),
    _address("HISTORY_ADDRESS", 0x0B0, "Region HISTORY: L after each pairing."),
    _counter("TOTAL", 0x0C0, "Cycles from start to done."),
    _counter("QUANTIZE", 0x0C8, "Cycles of quantisation."),
    _counter("INIT", 0x0D0, "Cycles of making or fetching the initial dst list."),
    _counter("PACK", 0x0D8, "Cycles of packing dst, over all pairings."),
    _counter("PAIR", 0x0E0, "Cycles of pairing, over all pairings."),
    _counter("UPDATE", 0x0E8, "Cycles of updating dst, over all updates."),
    _counter("TOPK", 0x0F0, "Cycles of top-k."),
    _counter("DAU", 0x0F8, "Cycles in which the DAU took a chunk."),
)  # fmt: skip


def offsets() -> dict[str, int]:
    """Byte offset of every word by its name, as a driver needs them."""
    return {name: offset for register in REGISTERS for name, offset in register.word_names}


def as_json(config: EngineConfig) -> list[dict[str, Any]]:
    """The map of an engine of that config as JSON types, a dict a register."""
    return [
        {
            "name": register.name,
            "offset": register.offset,
            "words": register.words,
            "access": register.access,
            "mask": register.mask(config),
            "doc": register.doc,
            "fields": [vars(field) for field in register.fields],
        }
        for register in REGISTERS
    ]


def c_header() -> str:
    """A C and C++ header: the offset of every word and the mask of every field."""
    lines = ["/* ORBIS matching engine: register offsets in bytes, and the masks of fields. */"]
    lines += ["#ifndef ORBIS_REGISTERS_H", "#define ORBIS_REGISTERS_H", ""]
    lines += [f"#define ORBIS_{name} 0x{offset:03X}u" for name, offset in offsets().items()]
    lines += [
        "",
        f"#define ORBIS_ID_VALUE 0x{ID:08X}u",
        f"#define ORBIS_VERSION_VALUE 0x{VERSION:08X}u",
    ]
    lines += [
        f"#define ORBIS_{register.name}_{field.name.upper()} 0x{1 << field.bit:X}u"
        for register in REGISTERS
        for field in register.fields
    ]
    return "\n".join([*lines, "", "#endif", ""])


_RULES = """\
# Registers

Generated from `hw/bus/registers.py` by `python -m hw.bus.registers`; do not edit.

The engine's AXI4-Lite port `control` has 32-bit words; a value of more than 32 bits takes two, LO
at the offset and HI after it. All reset to 0 unless a value is given.

* Byte strobes count: only the bytes strobed are written. The two lowest address bits do not.
* An offset that is not in the table answers DECERR; it reads 0.
* SLVERR answers a write that is refused, and then changes nothing: one to a read-only register,
  one with a 1 in a bit that the engine does not have (as in an address that is beyond its bits,
  or not aligned to a beat), or, while `busy` is 1, one to any register but INTERRUPT.
* Reading the LO word of a counter keeps its HI word for the next read of a counter's HI word, so
  LO, then HI gives the value of one moment while the counter runs.
* In place of a number, *bits* may name a property of the config.
"""


def markdown() -> str:
    """The text of docs/registers.md."""
    lines = [_RULES, "| offset | register | access | bits | meaning |", "|---|---|---|---|---|"]
    for register in REGISTERS:
        bits = f"`{register.bits}`" if isinstance(register.bits, str) else f"{register.bits}"
        doc = register.doc
        if isinstance(register.fixed, int):
            doc = f"{doc} Reads 0x{register.fixed:08X}."
        if register.fields:
            bits = f"{len(register.fields)}"
        name = register.name if register.words == 1 else f"{register.name} LO, HI"
        lines.append(f"| 0x{register.offset:03X} | {name} | {register.access} | {bits} | {doc} |")
    lines += [
        "",
        "## Fields",
        "",
        "| register | bit | field | access | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {register.name} | {field.bit} | `{field.name}` | {field.access} | {field.doc} |"
        for register in REGISTERS
        for field in register.fields
    ]
    lines += ["", "## Access", "", "| access | meaning |", "|---|---|"]
    lines += [f"| {access} | {meaning} |" for access, meaning in ACCESS_MEANINGS.items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(c_header() if sys.argv[1:] == ["header"] else markdown())
