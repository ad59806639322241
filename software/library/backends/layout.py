"""Where a job's regions lie in the engine's memory, and what is read from and written to them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw.config import DST_WORD_BITS, HISTORY_WORD_BITS, RECORD_BITS, RECORD_FIELDS, VALUE_BITS
from hw.regions import REGIONS, JobSizes

_PAGE = 4096
"""Unless packed, regions start at its multiples, with at least a page of nobody's between."""
_TOKEN = (1 << DST_WORD_BITS // 2) - 1
"""What a word of the DST region has of the token; the rest is the slot."""

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Words = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Place:
    """A run of bytes: where it starts and how many it has."""

    address: int
    size: int

    def words(self, memory: Bytes, bits: int) -> Words:
        """Its content as unsigned words of so many bits, as a view."""
        return memory[self.address : self.address + self.size].view(f"<u{bits // 8}")


@dataclass(frozen=True)
class Layout:
    """The regions of a job in memory.

    Attributes:
        job: the sizes that they are for.
        packed: whether they lie one behind the other, without what lies between them else.
        places: each region's, by its name.
        size: bytes of memory in all.
    """

    job: JobSizes
    packed: bool = False
    places: dict[str, Place] = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        places, address = {}, 0 if self.packed else _PAGE
        for region in REGIONS:
            places[region.name] = place = Place(address, region.bytes(self.job))
            address += place.size if self.packed else -(-place.size // _PAGE) * _PAGE + _PAGE
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "size", address)

    def put_tokens(self, memory: Bytes, values: Words) -> None:
        """Write token values, uint16 [N, D] as FP16 or BF16 bits; channels beyond D become 0."""
        rows = self.places["TOKENS"].words(memory, VALUE_BITS).reshape(self.job.tokens, -1)
        rows[:, : self.job.channels] = values
        rows[:, self.job.channels :] = 0

    def put_dst(self, memory: Bytes, dst: list[int]) -> None:
        """Write an initial dst list, in slot order; the engine adds the slots."""
        self._dst(memory)[:] = dst

    def dst(self, memory: Bytes) -> Words:
        """Read the dst list: int64 [M], in slot order."""
        return (self._dst(memory) & np.uint64(_TOKEN)).astype(np.int64)

    def _dst(self, memory: Bytes) -> Words:
        return self.places["DST"].words(memory, DST_WORD_BITS)[: self.job.num_dst]

    def history(self, memory: Bytes, pairings: int) -> tuple[int, ...]:
        """Read L of each pairing."""
        words = self.places["HISTORY"].words(memory, HISTORY_WORD_BITS)[:pairings]
        return tuple(int(word) for word in words)

    def records(self, memory: Bytes, count: int) -> dict[str, Words]:
        """Read the first records: each field, int64 [count], by its name."""
        words = self.places["RECORDS"].words(memory, RECORD_BITS)[:count].copy()
        fields = {}
        for name, bits in RECORD_FIELDS.items():
            fields[name] = (words & np.uint64((1 << bits) - 1)).astype(np.int64)
            words >>= np.uint64(bits)
        return fields
