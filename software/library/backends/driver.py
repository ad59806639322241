"""What a driver of the engine does over its registers."""

from collections.abc import Iterator
from typing import Protocol

from golden.options import MatchOptions
from hw.bus.registers import (
    ID,
    VERSION,
    counter_member,
    job_fields,
    job_registers,
    masks,
    offsets,
    serves,
)
from hw.config import EngineConfig
from software.library.backends.layout import Layout
from software.library.errors import SimulationError

OFFSETS = offsets()
"""Of each register, by its name."""
_MASKS = masks()
WATCHDOG = 1 << 24
"""Cycles without a transfer on the memory bus after which a job is given up: the engine's own
silence, while it finds the weights of the channels, is some 50 cycles a channel."""
REASONS = {
    "bad_job": "the job's sizes break a rule of the engine or of the algorithm",
    "nonfinite": "a token value is infinite or not a number",
    "bus_error": "memory answered with an error",
    "bad_list": "the initial dst list is not M distinct tokens below N",
    "aborted": "the job was aborted",
    "timed_out": "memory was silent for longer than the watchdog allows",
}
"""What each bit of STATUS says of a job that did not end well."""


class Registers(Protocol):
    """An engine's 32-bit registers, by their offsets."""

    def read_register(self, offset: int) -> int:
        """Read one."""
        ...

    def write_register(self, offset: int, value: int) -> None:
        """Write one."""
        ...


def identify(registers: Registers, config: EngineConfig) -> None:
    """Refuse an engine that this driver was not made for.

    Raises:
        SimulationError: it is of another kind, config or version.
    """
    for name, value in (("ID", ID), ("CONFIG_HASH", config.hash)):
        found = registers.read_register(OFFSETS[name])
        if found != value:
            raise SimulationError(
                f"register {name} reads {found:#010x}; it must be {value:#010x}, as the"
                " driver was made for."
            )
    found = registers.read_register(OFFSETS["VERSION"])
    if not serves(found):
        raise SimulationError(
            f"register VERSION reads {found:#010x}; the driver was made for {VERSION:#010x},"
            " and needs its major number and no lower minor one."
        )


def register_writes(
    layout: Layout,
    reduce: int,
    options: MatchOptions,
    *,
    every_pair: bool = False,
    read_ahead: bool = True,
    watchdog: int = WATCHDOG,
) -> Iterator[tuple[int, int]]:
    """Offsets and values that start a job, in order.

    Args:
        layout: its sizes, and where its regions lie.
        reduce: K.
        options: how it starts and when it stops; with ``init``, the DST region holds the list.
        every_pair: whether every pairing computes every pair.
        read_ahead: whether memory serves reads and writes independently of each other.
        watchdog: cycles without a transfer on the memory bus that end the job; 0 for none.
    """
    job = layout.job
    values = {
        "TOKENS": job.tokens,
        "CHANNELS": job.channels,
        "NUM_DST": job.num_dst,
        "REDUCE": reduce,
        "SEED": options.seed,
        "EPSILON": options.epsilon_q16,
        "MAX_PAIRINGS": options.max_iterations,
        "WATCHDOG": watchdog,
    } | {f"{name}_ADDRESS": place.address for name, place in layout.places.items()}
    for register in job_registers():
        value = values[register.name]
        for number, (_, offset) in enumerate(register.word_names):
            yield offset, value >> 32 * number & 0xFFFF_FFFF
    chosen = {
        "host_init": options.init is not None,
        "every_pair": every_pair,
        "read_ahead": read_ahead,
    }
    fields = ["start", "interrupt_enable", *(f.name for f in job_fields() if chosen[f.name])]
    yield OFFSETS["CONTROL"], sum(_MASKS[f"CONTROL.{field}"] for field in fields)


def has_ended(registers: Registers) -> bool:
    """Whether the last job has ended, well or not."""
    return bool(registers.read_register(OFFSETS["STATUS"]) & _MASKS["STATUS.done"])


def acknowledge(registers: Registers) -> None:
    """Take the interrupt of a job that has ended.

    Raises:
        SimulationError: it did not end well.
    """
    registers.write_register(OFFSETS["INTERRUPT"], _MASKS["INTERRUPT.pending"])
    status = registers.read_register(OFFSETS["STATUS"])
    if status == _MASKS["STATUS.done"]:
        return
    said = [reason for name, reason in REASONS.items() if status & _MASKS[f"STATUS.{name}"]]
    if status & _MASKS["STATUS.busy"]:
        said.append("memory has not answered since, and must be reset together with the engine")
    raise SimulationError(f"{'; '.join(said) or f'STATUS reads {status:#x}'}.")


def read_counter(registers: Registers, counter: str) -> int:
    """A cycle counter: reading its lower word keeps the upper one."""
    name = counter_member(counter).upper()
    low = registers.read_register(OFFSETS[f"{name}_LO"])
    return low | registers.read_register(OFFSETS[f"{name}_HI"]) << 32
