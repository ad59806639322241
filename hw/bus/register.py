"""What a register of the map is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hw.config import EngineConfig

Access = Literal["ro", "rw", "w1c", "pulse"]
"""``ro`` only read; ``rw`` read and written; ``w1c`` a 1 written clears it; ``pulse`` a 1 written
acts once, and it reads 0."""

Holder = Literal["order", "engine", "block"]
"""Who has the value: the job's `Order`, the engine beside the register block, or the block."""

WORD_BYTES = 4


@dataclass(frozen=True)
class Field:
    """One bit of a register: ``bit`` is its place, and ``name`` its member of whoever holds it."""

    name: str
    bit: int
    access: Access
    holder: Holder
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
        """The name that whoever holds the value has for it."""
        return self.name.lower()

    @property
    def holder(self) -> Holder:
        """Who has the value of a register without fields: a job's sizes are written."""
        if self.fixed is not None:
            return "block"
        return "order" if self.access == "rw" else "engine"

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

    def reset_value(self, config: EngineConfig) -> int:
        """What it reads after a reset: 0, unless it is ``fixed``."""
        return 0 if self.fixed is None else self.fixed_value(config)

    @property
    def word_names(self) -> Iterator[tuple[str, int]]:
        """(name, offset) of each word."""
        if self.words == 1:
            yield self.name, self.offset
        else:
            yield f"{self.name}_LO", self.offset
            yield f"{self.name}_HI", self.offset + WORD_BYTES
