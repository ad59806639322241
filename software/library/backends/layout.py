"""Where a job's regions lie in the engine's memory, and the form of what they hold."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw.config import RECORD_DST_BITS, RECORD_SRC_BITS, EngineConfig

_PAGE = 4096
"""Regions start at its multiples, with at least one page of nobody's between them."""

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Region:
    """A run of bytes: where it starts and how many it has."""

    address: int
    size: int

    def of(self, memory: Bytes) -> Bytes:
        """The region's bytes, as a view."""
        return memory[self.address : self.address + self.size]


@dataclass(frozen=True)
class Layout:
    """The regions of a job of N tokens, D channels and M dst slots.

    Attributes:
        regions: by the name that the address register has before ``_ADDRESS``.
        size: bytes of memory in all.
    """

    config: EngineConfig
    num_tokens: int
    channels: int
    num_dst: int
    regions: dict[str, Region] = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        row_beats = -(-self.channels // config.nibbles_per_beat)
        tiles = -(-self.num_dst // config.dst_lanes)
        # A list has a record a token; where channels are sorted, one a channel of a whole row.
        chunk = config.chunk_records
        records = -(-max(self.num_tokens, row_beats * config.nibbles_per_beat) // chunk) * chunk
        beats = {
            "TOKENS": self.num_tokens * row_beats * 4,
            "QUANTIZED": self.num_tokens * row_beats,
            "PACKED": tiles * row_beats * config.dst_lanes,
            "RECORDS": records // config.records_per_beat,
            "SCRATCH": records // config.records_per_beat,
            "DST": -(-4 * self.num_dst // config.bus_bytes),
            "HISTORY": -(-8 * config.max_pairings // config.bus_bytes),
        }
        regions, address = {}, _PAGE
        for name, count in beats.items():
            regions[name] = Region(address, count * config.bus_bytes)
            address += -(-regions[name].size // _PAGE) * _PAGE + _PAGE
        object.__setattr__(self, "regions", regions)
        object.__setattr__(self, "size", address)

    def put_tokens(self, memory: Bytes, values: np.ndarray[Any, np.dtype[np.uint16]]) -> None:
        """Write token values, uint16 [N, D] as FP16 or BF16 bits; channels beyond D become 0."""
        rows = self.regions["TOKENS"].of(memory).view(np.uint16).reshape(self.num_tokens, -1)
        rows[:, : self.channels] = values
        rows[:, self.channels :] = 0

    def put_dst(self, memory: Bytes, dst: list[int]) -> None:
        """Write an initial dst list, in slot order."""
        self._dst(memory)[:] = dst

    def dst(self, memory: Bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Read the dst list: int64 [M]."""
        return self._dst(memory).astype(np.int64)

    def _dst(self, memory: Bytes) -> np.ndarray[Any, np.dtype[np.uint32]]:
        return self.regions["DST"].of(memory).view(np.uint32)[: self.num_dst]

    def history(self, memory: Bytes, pairings: int) -> tuple[int, ...]:
        """Read L of each pairing."""
        words = self.regions["HISTORY"].of(memory).view(np.uint64)[:pairings]
        return tuple(int(word) for word in words)

    def records(self, memory: Bytes, count: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], ...]:
        """Read the first records: src, dst and loss, int64 [count] each."""
        words = self.regions["RECORDS"].of(memory).view(np.uint64)[:count]
        dst = words & np.uint64((1 << RECORD_DST_BITS) - 1)
        src = words >> np.uint64(RECORD_DST_BITS) & np.uint64((1 << RECORD_SRC_BITS) - 1)
        loss = words >> np.uint64(RECORD_DST_BITS + RECORD_SRC_BITS)
        return tuple(part.astype(np.int64) for part in (src, dst, loss))
