"""Random matching jobs, and how they lie in memory: what the stage testbenches have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cocotb
import torch
from cocotb.triggers import RisingEdge
from torch import Tensor

from golden.qe import Quantized
from hw.config import EngineConfig
from hw.job import Job
from tb.streams import Bench, pack, set_value

QUANTIZED, PACKED, RECORDS, SCRATCH, DST, HISTORY, TOKENS = (i << 15 for i in range(7))
"""Addresses of the regions: room for any job of the tiny and demo configs in tests."""
MEMORY_BYTES = 7 << 15


@dataclass(frozen=True)
class Sizes:
    """N, D and M of a job, and what follows from them."""

    config: EngineConfig
    tokens: int
    channels: int
    num_dst: int
    reduce: int = 0

    @property
    def chunks(self) -> int:
        """Chunks of a token."""
        return -(-self.channels // self.config.channel_lanes)

    @property
    def row_beats(self) -> int:
        """Beats of a quantised token."""
        return -(-self.channels // self.config.nibbles_per_beat)

    @property
    def tile_beats(self) -> int:
        """Beats of a packed tile of P dst."""
        return -(-self.chunks // self.config.words_per_beat)

    @property
    def tiles(self) -> int:
        """Tiles of P dst."""
        return -(-self.num_dst // self.config.dst_lanes)

    @property
    def src_tiles(self) -> int:
        """Tiles of Q src."""
        return -(-(self.tokens - self.num_dst) // self.config.src_lanes)

    def job(self) -> int:
        """The `Job` port's value."""
        fields = {
            "tokens": self.tokens,
            "num_dst": self.num_dst,
            "num_src": self.tokens - self.num_dst,
            "reduce": self.reduce,
            "chunks": self.chunks,
            "row_beats": self.row_beats,
            "tile_beats": self.tile_beats,
            "tiles": self.tiles,
            "src_tiles": self.src_tiles,
            "tokens_address": TOKENS,
            "quantized_address": QUANTIZED,
            "packed_address": PACKED,
            "records_address": RECORDS,
            "scratch_address": SCRATCH,
            "dst_address": DST,
            "history_address": HISTORY,
        }
        return int(Job(self.config).const(fields).as_value().value)


def random_quantized(sizes: Sizes, generator: torch.Generator, *, levels: int = 16) -> Quantized:
    """Tokens of ``levels`` different values a channel; few levels make ties abound."""
    config = sizes.config
    q = torch.randint(0, levels, (sizes.tokens, sizes.channels), generator=generator)
    groups = -(-sizes.channels // config.scale_group)
    weight = torch.randint(0, 1 << config.weight_bits, (groups,), generator=generator)
    return Quantized(
        q=q.to(torch.uint8),
        weight=weight.repeat_interleave(config.scale_group)[: sizes.channels],
        step=torch.ones(sizes.channels),
        order=torch.arange(sizes.channels),
    )


def row_bytes(sizes: Sizes, q: Tensor) -> bytes:
    """The QUANTIZED region: a row of whole beats for each token, zeros behind its channels."""
    padded = torch.zeros(q.shape[0], sizes.row_beats * sizes.config.nibbles_per_beat, dtype=q.dtype)
    padded[:, : q.shape[1]] = q
    return bytes((padded[:, ::2] | padded[:, 1::2] << 4).flatten().tolist())


def packed_bytes(sizes: Sizes, q: Tensor, dst: Tensor) -> bytes:
    """The PACKED region: tile by tile and chunk by chunk, one chunk of each of P dst."""
    config, lanes = sizes.config, sizes.config.channel_lanes
    chunks = sizes.tile_beats * config.words_per_beat
    padded = torch.zeros(sizes.tiles * config.dst_lanes, chunks * lanes, dtype=q.dtype)
    padded[: len(dst), : q.shape[1]] = q[dst]
    tiles = padded.reshape(sizes.tiles, config.dst_lanes, chunks, lanes).transpose(1, 2).flatten()
    return bytes((tiles[::2] | tiles[1::2] << 4).tolist())


def weight_words(sizes: Sizes, weight: Tensor) -> list[int]:
    """The weight word of each chunk; channels beyond D have weight 0."""
    config = sizes.config
    per_chunk = config.channel_lanes // config.scale_group
    weights = weight[:: config.scale_group].tolist()
    weights += [0] * (sizes.chunks * per_chunk - len(weights))
    return [
        pack(weights[i : i + per_chunk], config.weight_bits)
        for i in range(0, len(weights), per_chunk)
    ]


class Lookup:
    """Stands for a memory that the component asks: the answer to an address comes a cycle later."""

    def __init__(self, bench: Bench, address: str, answer: str, table: Callable[[int], int]):
        self._clk = bench.dut.clk
        self._address: Any = getattr(bench.dut, address)
        self._answer: Any = getattr(bench.dut, answer)
        self._table = table
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        set_value(self._answer, 0)
        while True:
            await RisingEdge(self._clk)
            address = self._address.value
            if address.is_resolvable:
                set_value(self._answer, self._table(int(address.to_unsigned())))
