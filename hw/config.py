"""The engine's configuration: the one source of every size, width and offset."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

VALUE_BITS = 16
"""Bits of a token value, FP16 or BF16."""

LEVEL_BITS = 4
"""Bits of a level, a quantised channel value; docs/definition.md, 'Limits', fixes 4. The structure
would allow 1 and 2 too: widths at which C levels fill whole bytes, and at which a row of values has
no fewer beats than `ChannelStats` has cycles of latency."""

LARGEST_LEVEL = (1 << LEVEL_BITS) - 1

RECORD_FIELDS = {"dst": 17, "src": 17, "loss": 30}
"""Bits of a pair record's fields, from bit 0 up: dst token, src token, loss. Sorting the records as
unsigned integers sorts by (loss, src)."""
RECORD_BITS = sum(RECORD_FIELDS.values())

ENTRY_BITS = 128
"""Bits of what memory holds of a token between pairings (`hw.words.entry`)."""
DST_WORD_BITS = 64
"""Bits of a slot's word in the DST region (`hw.words.dst_word`)."""
HISTORY_WORD_BITS = 64
"""Bits of a pairing's L in the HISTORY region."""

TOKEN_BEATS = VALUE_BITS // LEVEL_BITS
"""Beats of token values that become one beat of levels."""

SEED_BITS = 32
"""Bits of the seed, and of xorshift32's draws."""
EPSILON_BITS = 16
"""Bits of epsilon, in units of 2^-16."""
WATCHDOG_BITS = 32
"""Bits of the watchdog's limit, in cycles."""

REQUEST_BITS = 20
"""Bits of the number of beats that a memory client asks for at once."""
MAX_REQUEST_BEATS = (1 << REQUEST_BITS) - 1

BANK_BITS = 64
"""Bits of a word of a scratchpad bank."""
CHANNEL_WORD_BITS = 32
"""Bits that the scratchpad has for a channel while tokens are quantised, or for its group sum."""

FIXED_BITS = 40
"""Magnitude bits of a token value in fixed point: FP16 needs exactly 40 in units of 2^-24."""


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True)
class EngineConfig:
    """Sizes of one matching engine, checked when made.

    Raises:
        ValueError: one sentence that names the field, its value and the rule.
    """

    max_tokens: int = field(metadata={"doc": "most video tokens N of a job"})
    max_channels: int = field(metadata={"doc": "most channels D of a token"})
    max_dst: int = field(metadata={"doc": "most dst slots M"})
    dst_lanes: int = field(metadata={"doc": "dst tokens compared at once, P"})
    src_lanes: int = field(metadata={"doc": "src tokens compared at once, Q"})
    channel_lanes: int = field(metadata={"doc": "channels of a pair a cycle, C"})
    src_groups: int = field(default=1, metadata={"doc": "groups of Q src on chip at once, R"})
    bus_bytes: int = field(default=64, metadata={"doc": "bytes of a memory beat"})
    scale_group: int = field(default=1, metadata={"doc": "channels that share a scale: 1 or C"})
    token_format: str = field(default="fp16", metadata={"doc": "fp16 or bf16"})
    weight_bits: int = field(default=8, metadata={"doc": "bits of a channel weight"})
    quantize_lanes: int = field(default=4, metadata={"doc": "channels quantised a cycle, L"})
    update_lanes: int = field(default=4, metadata={"doc": "channels of a member a cycle, U"})
    sorter_width: int = field(default=8, metadata={"doc": "records of the bitonic network"})
    max_pairings: int = field(default=32, metadata={"doc": "most pairings of a job"})
    burst_beats: int = field(default=16, metadata={"doc": "longest AXI burst, in beats"})
    fifo_beats: int = field(default=64, metadata={"doc": "beats buffered for each read stream"})
    address_bits: int = field(default=40, metadata={"doc": "bits of a memory address"})

    def __post_init__(self) -> None:
        for name in ("channel_lanes", "bus_bytes", "quantize_lanes", "update_lanes",
                     "sorter_width", "burst_beats", "fifo_beats"):  # fmt: skip
            value = getattr(self, name)
            if not _is_power_of_two(value):
                raise ValueError(f"{name} is {value}, but must be a power of two")
        self._require("max_tokens", 2, 1 << RECORD_FIELDS["src"])
        self._require("max_channels", 1, 1 << 16)
        self._require("max_dst", 1, self.max_tokens - 1)
        self._require("weight_bits", 1, 8)
        self._require("bus_bytes", ENTRY_BITS // 8, 128)
        self._require("dst_lanes", 1, 64)
        self._require("src_lanes", 1, 64)
        self._require("src_groups", 1, 64)
        self._require("channel_lanes", 4, self.bus_bytes)
        self._require("sorter_width", 2, 256)
        self._require("max_pairings", 1, 1 << 16)
        self._require("burst_beats", 1, min(256, 4096 // self.bus_bytes))
        self._require("fifo_beats", max(4, 2 * self.burst_beats), 1 << 12)
        self._require("address_bits", 16, 64)
        self._require("quantize_lanes", 2, self.values_per_beat)
        self._require("update_lanes", 2, self.channel_lanes // 2)
        if self.token_format not in ("fp16", "bf16"):
            raise ValueError(f"token_format is {self.token_format!r}, but must be fp16 or bf16")
        if self.scale_group not in (1, self.channel_lanes):
            raise ValueError(
                f"scale_group is {self.scale_group}, but must be 1 or channel_lanes"
                f" ({self.channel_lanes})"
            )
        if self.max_channels % self.levels_per_beat:
            raise ValueError(
                f"max_channels is {self.max_channels}, but must be a multiple of the"
                f" {self.levels_per_beat} quantised channels of a beat"
            )
        if self.distance_bits > RECORD_FIELDS["loss"]:
            raise ValueError(
                f"a distance needs {self.distance_bits} bits, but a record holds"
                f" {RECORD_FIELDS['loss']}: lower max_channels or weight_bits"
            )

    def _require(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, but must be from {low} to {high}")

    # Widths, in bits.

    @property
    def token_bits(self) -> int:
        """Bits of a token index, 0 to max_tokens - 1."""
        return (self.max_tokens - 1).bit_length()

    @property
    def count_bits(self) -> int:
        """Bits of a number of tokens, 0 to max_tokens."""
        return self.max_tokens.bit_length()

    @property
    def slot_bits(self) -> int:
        """Bits of a dst slot, 0 to max_dst - 1 (at least 1)."""
        return max(1, (self.max_dst - 1).bit_length())

    @property
    def channel_bits(self) -> int:
        """Bits of a channel index, 0 to max_channels - 1."""
        return (self.max_channels - 1).bit_length()

    @property
    def chunk_index_bits(self) -> int:
        """Bits of a chunk's index in its token, 0 to max_chunks - 1 (at least 1)."""
        return max(1, (self.max_chunks - 1).bit_length())

    @property
    def chunk_bits(self) -> int:
        """Bits of a chunk: C levels."""
        return self.channel_lanes * LEVEL_BITS

    @property
    def distance_bits(self) -> int:
        """Bits of a distance: max_channels * max weight * 15^2 never overflows them."""
        largest = self.max_channels * ((1 << self.weight_bits) - 1) * LARGEST_LEVEL**2
        return largest.bit_length()

    @property
    def loss_bits(self) -> int:
        """Bits of L, the sum of the distances of all src."""
        return self.distance_bits + self.count_bits

    @property
    def sum_bits(self) -> int:
        """Bits of one channel's sum over a group of at most max_tokens members."""
        return (LARGEST_LEVEL * self.max_tokens).bit_length()

    # Shapes.

    @property
    def lanes(self) -> int:
        """P * Q * C: channels of pairs that the DAU takes a cycle."""
        return self.dst_lanes * self.src_lanes * self.channel_lanes

    @property
    def bus_bits(self) -> int:
        """Bits of a memory beat."""
        return 8 * self.bus_bytes

    def beats_of(self, words: int, word_bits: int) -> int:
        """Whole beats that hold so many words."""
        return -(-words * word_bits // self.bus_bits)

    @property
    def write_burst_beats(self) -> int:
        """Longest write burst, in beats: all of it waits on chip until it is whole."""
        return min(2, self.burst_beats)

    @property
    def levels_per_beat(self) -> int:
        """Quantised channels of a memory beat."""
        return self.bus_bits // LEVEL_BITS

    @property
    def values_per_beat(self) -> int:
        """Token values of a memory beat."""
        return self.bus_bits // VALUE_BITS

    @property
    def records_per_beat(self) -> int:
        """Pair records of a memory beat."""
        return self.bus_bits // RECORD_BITS

    @property
    def chunks_per_beat(self) -> int:
        """Chunks (C channels of one token) of a beat of quantised tokens."""
        return self.levels_per_beat // self.channel_lanes

    @property
    def max_row_beats(self) -> int:
        """Beats of a quantised token of max_channels."""
        return self.max_channels // self.levels_per_beat

    @property
    def max_token_row_beats(self) -> int:
        """Beats of the 16-bit values of a token of max_channels."""
        return self.max_row_beats * TOKEN_BEATS

    @property
    def max_chunks(self) -> int:
        """Chunks of a token of max_channels."""
        return self.max_channels // self.channel_lanes

    @property
    def chunk_records(self) -> int:
        """Records of the runs that merging starts from: the sorter's width, but whole beats."""
        return max(self.sorter_width, self.records_per_beat)

    @property
    def list_beats(self) -> int:
        """Beats of the longest list, in whole chunks: a record a token or a channel."""
        chunks = -(-max(self.max_tokens, self.max_channels) // self.chunk_records)
        return chunks * self.chunk_records // self.records_per_beat

    @property
    def resident_src(self) -> int:
        """Src tokens whose rows are on chip at once: a src tile."""
        return self.src_lanes * self.src_groups

    @property
    def scratch_banks(self) -> int:
        """Banks of the scratchpad: as many as any stage uses side by side."""
        src = -(-self.src_lanes * self.chunk_bits // BANK_BITS)
        quantize = self.quantize_lanes * (3 if self.scale_group > 1 else 1)
        return max(src, quantize, self.update_lanes)

    @property
    def scratch_depth(self) -> int:
        """Words of a bank of the scratchpad: as many as any stage uses."""
        channel_words = self.max_channels * CHANNEL_WORD_BITS // BANK_BITS
        return max(
            self.src_groups * self.max_chunks,
            channel_words // self.quantize_lanes,
            channel_words // self.update_lanes,
            -(-self.max_channels * LEVEL_BITS // BANK_BITS),
        )

    # Identity.

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON takes them."""
        return dataclasses.asdict(self)

    @property
    def hash(self) -> int:
        """32 bits that tell configs apart; the driver compares them with the CONFIG_HASH register.

        The first four bytes of the SHA-256 of the fields as sorted JSON, big endian.
        """
        text = json.dumps(self.as_dict(), sort_keys=True).encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


PRESETS: dict[str, EngineConfig] = {
    "tiny": EngineConfig(
        max_tokens=64, max_channels=64, max_dst=32, dst_lanes=2, src_lanes=2, channel_lanes=4,
        src_groups=2, bus_bytes=16, quantize_lanes=2, update_lanes=2, sorter_width=4,
        burst_beats=4, fifo_beats=16,
    ),
    "ulx3s": EngineConfig(
        max_tokens=1024, max_channels=128, max_dst=512, dst_lanes=2, src_lanes=3,
        channel_lanes=16, src_groups=4, bus_bytes=16, scale_group=16, quantize_lanes=2,
        update_lanes=4, sorter_width=4, burst_beats=4, fifo_beats=16,
    ),
    "demo": EngineConfig(
        max_tokens=1024, max_channels=256, max_dst=512, dst_lanes=4, src_lanes=4,
        channel_lanes=16, src_groups=8, quantize_lanes=8, update_lanes=8, sorter_width=16,
        fifo_beats=128,
    ),
    "compact": EngineConfig(
        max_tokens=67_584, max_channels=3_072, max_dst=33_792, dst_lanes=2, src_lanes=8,
        channel_lanes=16, src_groups=4, bus_bytes=16, scale_group=16, quantize_lanes=2,
        update_lanes=4, sorter_width=2, burst_beats=4, fifo_beats=8,
    ),
    "paper": EngineConfig(
        max_tokens=67_584, max_channels=3_072, max_dst=33_792, dst_lanes=4, src_lanes=8,
        channel_lanes=16, src_groups=10, bus_bytes=32, scale_group=16, quantize_lanes=2,
        update_lanes=4, sorter_width=2, burst_beats=4, fifo_beats=8,
    ),
    "quad": EngineConfig(
        max_tokens=67_584, max_channels=3_072, max_dst=33_792, dst_lanes=8, src_lanes=16,
        channel_lanes=16, src_groups=5, scale_group=16, quantize_lanes=4, update_lanes=8,
        sorter_width=4, burst_beats=8, fifo_beats=16,
    ),
}  # fmt: skip
"""Named configs, by size: for unit tests, for the FPGA of a ULX3S board, for the small video DiT,
and three for the paper's two models: a small engine that is in time, one with time to spare, and
one for four instances."""
DEFAULT_PRESET = "demo"
