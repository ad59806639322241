"""The register map: one table, from which the block, `Order`, docs, header and drivers follow."""

import hashlib
from collections.abc import Iterator

from hw.bus.register import Field, Register
from hw.config import EPSILON_BITS, RECORD_FIELDS, SEED_BITS, WATCHDOG_BITS
from hw.regions import REGIONS

COUNTER_BITS = 48
"""Bits of a cycle counter: three days at 1 GHz."""

ID = 0x4F52_4253
VERSION = 0x0002_0001
"""Major in the upper half, minor in the lower. Raised whenever `digest` changes: the minor one
where programs for the version before still run, else the major one."""

COUNTERS = {
    "total": "Cycles from start to done.",
    "quantize": "Cycles of quantisation.",
    "init": "Cycles of making or fetching the initial dst list.",
    "pair": "Cycles of pairing, over all pairings.",
    "sort": "Cycles of sorting tokens by group, over all updates.",
    "update": "Cycles of updating dst, over all updates.",
    "topk": "Cycles of top-k.",
    "dau": "Cycles in which the DAU took a chunk.",
}
"""What is counted, in the order of the registers."""
STAGES = tuple(name for name in COUNTERS if name not in ("total", "dau"))
"""The stages of a job; their cycles are all but the last of the total."""


def serves(found: int) -> bool:
    """Whether a program for this map runs on an engine whose VERSION reads ``found``.

    It does where the major number is the same, and the minor one no less.
    """
    return VERSION <= found < ((VERSION >> 16) + 1) << 16


def counter_member(counter: str) -> str:
    """The register block's input of a counter."""
    return f"cycles_{counter}"


def _regions(offset: int) -> Iterator[Register]:
    for place, region in enumerate(REGIONS):
        yield Register(
            f"{region.name}_ADDRESS", offset + 8 * place, "rw",
            f"Region {region.name}: {region.doc}.", bits="address_bits", words=2, address=True,
        )  # fmt: skip


def _counters(offset: int) -> Iterator[Register]:
    for place, (counter, doc) in enumerate(COUNTERS.items()):
        yield Register(
            counter_member(counter).upper(), offset + 8 * place, "ro", doc, bits=COUNTER_BITS,
            words=2,
        )  # fmt: skip


REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x000, "ro", "The letters `ORBS`.", fixed=ID),
    Register("VERSION", 0x004, "ro", "Version of this map: major in the upper half, minor in the"
             " lower.", fixed=VERSION),
    Register("CONFIG_HASH", 0x008, "ro", "Hash of the config that the engine was made from; a"
             " driver refuses any other than its own.", fixed="hash"),
    Register("CONTROL", 0x010, "rw", "Starts a job and sets how it runs.", fields=(
        Field("start", 0, "pulse", "engine", "Start a job with the job registers as they are."),
        Field("host_init", 1, "rw", "order", "Take the initial dst list from the DST region instead"
              " of sampling it."),
        Field("interrupt_enable", 2, "rw", "block", "Raise the interrupt line while `pending` is"
              " 1."),
        Field("every_pair", 3, "rw", "order", "Compute every pair of every pairing: no distance is"
              " kept from the pairing before."),
        Field("read_ahead", 4, "rw", "order", "Ask memory for more than there is room for: short"
              " queues then cover its latency. For memory that answers reads whatever becomes of"
              " writes; one that serves a transaction at a time needs a 0."),
    )),
    Register("STATUS", 0x014, "ro", "What became of the job.", fields=(
        Field("busy", 0, "ro", "block", "A job is running: from `start` until `done`."),
        Field("done", 1, "ro", "block", "The last job has ended, well or with an error, and nothing"
              " of it is under way on the memory bus; cleared by `start`."),
        Field("bad_job", 2, "ro", "engine", "The job registers break a rule; nothing was run."),
        Field("nonfinite", 3, "ro", "engine", "A token value is infinite or not a number."),
        Field("bus_error", 4, "ro", "engine", "Memory answered with an error; the job was given"
              " up."),
        Field("bad_list", 5, "ro", "engine", "The host's initial dst list names a token twice, or"
              " one that is not below N; nothing was matched."),
        Field("aborted", 6, "ro", "engine", "The host aborted the job."),
        Field("timed_out", 7, "ro", "engine", "The watchdog bit: the job was given up. With `busy`"
              " still 1, memory has not answered yet."),
    )),
    Register("INTERRUPT", 0x018, "w1c", "The interrupt's cause.", fields=(
        Field("pending", 0, "w1c", "block", "A job has ended, or the watchdog bitten, since this"
              " bit was last cleared; cleared by `start`."),
    )),
    Register("ABORT", 0x01C, "pulse", "Ends the running job early; read as 0.", fields=(
        Field("abort", 0, "pulse", "engine", "Give the job up: end what is under way on the memory"
              " bus, then reset everything behind it. The next job runs as after any other."),
    )),
    Register("TOKENS", 0x020, "rw", "N, the video tokens."),
    Register("CHANNELS", 0x024, "rw", "D, the channels of a token."),
    Register("NUM_DST", 0x028, "rw", "M, the dst slots."),
    Register("REDUCE", 0x02C, "rw", "K, the src to reduce."),
    Register("SEED", 0x030, "rw", "Seed of the initial dst list.", bits=SEED_BITS),
    Register("EPSILON", 0x034, "rw", "Least relative change of L that calls for another pairing,"
             " in units of 2^-16.", bits=EPSILON_BITS),
    Register("MAX_PAIRINGS", 0x038, "rw", "Most pairings of the job."),
    Register("PAIRINGS", 0x03C, "ro", "Pairings done so far."),
    Register("MOVED_SLOTS", 0x040, "ro", "Slots whose dst moved in the last update."),
    Register("WATCHDOG", 0x044, "rw", "Cycles without a transfer on the memory bus after which the"
             " running job is given up; 0 for never.", bits=WATCHDOG_BITS),
    *_regions(0x080),
    *_counters(0x0C0),
)  # fmt: skip


def offsets() -> dict[str, int]:
    """Byte offset of every word by its name, as a driver needs them."""
    return {name: offset for register in REGISTERS for name, offset in register.word_names}


def masks() -> dict[str, int]:
    """Mask of every field by ``REGISTER.field``, as a driver needs them."""
    return {
        f"{register.name}.{field.name}": 1 << field.bit
        for register in REGISTERS
        for field in register.fields
    }


def job_registers() -> tuple[Register, ...]:
    """The registers that hold a job's sizes and addresses; `Order` has a member for each."""
    return tuple(each for each in REGISTERS if each.holder == "order" and not each.fields)


def job_fields() -> tuple[Field, ...]:
    """The fields that are a job's; `Order` has a member for each."""
    return tuple(f for each in REGISTERS for f in each.fields if f.holder == "order")


def digest() -> str:
    """What a program that was made for this map relies on, as a short hash: not the words.

    Registers, and what lies in the regions of memory that they name.
    """
    lines = [
        f"{each.name} {each.offset:#x} {each.access} {each.bits} {each.words} {each.address}"
        f" {[(field.name, field.bit, field.access) for field in each.fields]}"
        for each in REGISTERS
    ]
    lines += [f"{each.name} {each.word_bits} {each.sizes} {each.content}" for each in REGIONS]
    lines += [f"{name} {bits}" for name, bits in RECORD_FIELDS.items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
