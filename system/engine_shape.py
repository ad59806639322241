"""What the cycle model knows of an engine and of a job: sizes, and what follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

LEVEL_BITS, VALUE_BITS = 4, 16
"""Bits of a channel of a token, quantised and as the host gives it."""
ENTRY_BITS, RECORD_BITS, DST_WORD_BITS, HISTORY_WORD_BITS, BANK_BITS = 128, 64, 64, 64, 64
"""Bits of words in memory, and of a word of a scratchpad bank."""
CHANNEL_RECORD_BEATS = RECORD_BITS // LEVEL_BITS
"""Beats of channel records for each beat of a quantised row."""
_EPSILON_BITS = 16


def divide_up(value: int, by: int) -> int:
    """The quotient, rounded up."""
    return -(-value // by)


@dataclass(frozen=True)
class EngineShape:
    """An engine's sizes: those fields of its config that cycles depend on, by their names there.

    Raises:
        ValueError: a field that is no whole number, or out of its range.
    """

    max_tokens: int
    max_channels: int
    max_dst: int
    dst_lanes: int
    src_lanes: int
    channel_lanes: int
    src_groups: int
    bus_bytes: int
    scale_group: int
    token_format: str
    weight_bits: int
    quantize_lanes: int
    update_lanes: int
    sorter_width: int
    max_pairings: int
    burst_beats: int
    fifo_beats: int

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "token_format":
                if value not in ("fp16", "bf16"):
                    raise ValueError(f"token_format is {value!r}; it must be fp16 or bf16.")
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{each.name} is {value!r}; it must be a whole number from 1 up.")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "EngineShape":
        """Take the fields from a config as JSON has it; others are passed over.

        Raises:
            ValueError: one is missing, or see the class.
        """
        names = [each.name for each in fields(cls)]
        missing = [name for name in names if name not in content]
        if missing:
            raise ValueError(f"the engine's config lacks {', '.join(missing)}.")
        return cls(**{name: content[name] for name in names})

    @property
    def lanes(self) -> int:
        """P * Q * C: channels of pairs that are compared a cycle."""
        return self.dst_lanes * self.src_lanes * self.channel_lanes

    @property
    def resident_src(self) -> int:
        """Src of a src tile, Q * R."""
        return self.src_lanes * self.src_groups

    @property
    def shared_scale(self) -> bool:
        """Whether channels share scales."""
        return self.scale_group > 1

    @property
    def records_per_beat(self) -> int:
        """Records of a beat, and slots of the dst list."""
        return 8 * self.bus_bytes // RECORD_BITS

    @property
    def levels_per_beat(self) -> int:
        """Quantised channels of a beat."""
        return 8 * self.bus_bytes // LEVEL_BITS

    @property
    def values_per_beat(self) -> int:
        """Token values of a beat."""
        return 8 * self.bus_bytes // VALUE_BITS

    @property
    def chunks_per_beat(self) -> int:
        """Chunks of a beat of a quantised row."""
        return self.levels_per_beat // self.channel_lanes

    @property
    def chunk_records(self) -> int:
        """Records that the sorter takes at once, whole beats."""
        return max(self.sorter_width, self.records_per_beat)

    @property
    def max_chunks(self) -> int:
        """Chunks of the longest row."""
        return self.max_channels // self.channel_lanes

    @property
    def loss_bits(self) -> int:
        """Bits of L."""
        largest = self.max_channels * ((1 << self.weight_bits) - 1) * 15**2
        return largest.bit_length() + self.max_tokens.bit_length()

    @property
    def convergence_cycles(self) -> int:
        """Cycles of the convergence check: a bit of both sides each, and two."""
        return self.loss_bits + _EPSILON_BITS + 2

    def beats_of(self, words: int, word_bits: int) -> int:
        """Whole beats that hold so many words."""
        return divide_up(words * word_bits, 8 * self.bus_bytes)


@dataclass(frozen=True)
class JobShape:
    """A job in an engine: N ``tokens``, D ``channels``, M ``num_dst``, K ``reduce``.

    Raises:
        ValueError: sizes that the engine or the algorithm does not allow.
    """

    engine: EngineShape
    tokens: int
    channels: int
    num_dst: int
    reduce: int

    def __post_init__(self) -> None:
        engine = self.engine
        if not 1 <= self.num_dst < self.tokens:
            raise ValueError(
                f"M is {self.num_dst}; it must be at least 1 and less than N, {self.tokens}."
            )
        if self.channels < 1:
            raise ValueError(f"D is {self.channels}; it must be at least 1.")
        if not 0 <= self.reduce <= self.num_src:
            raise ValueError(f"K is {self.reduce}; it must lie in 0..{self.num_src}, N - M.")
        for name, size, most in (
            ("N", self.tokens, engine.max_tokens),
            ("D", self.channels, engine.max_channels),
            ("M", self.num_dst, engine.max_dst),
        ):
            if size > most:
                raise ValueError(f"{name} is {size}, but the engine holds at most {most}.")

    @property
    def num_src(self) -> int:
        """N - M."""
        return self.tokens - self.num_dst

    @property
    def chunks(self) -> int:
        """Chunks of a token."""
        return divide_up(self.channels, self.engine.channel_lanes)

    @property
    def row_beats(self) -> int:
        """Beats of a quantised row."""
        return self.engine.beats_of(self.channels, LEVEL_BITS)

    @property
    def padded_channels(self) -> int:
        """Channels of those beats."""
        return self.row_beats * self.engine.levels_per_beat

    @property
    def value_row_beats(self) -> int:
        """Beats of a row of token values."""
        return self.row_beats * VALUE_BITS // LEVEL_BITS

    @property
    def entry_beats(self) -> int:
        """Beats of the entries."""
        return self.engine.beats_of(self.tokens, ENTRY_BITS)

    def list_beats(self, slots: int) -> int:
        """Beats of a list of so many slots."""
        return self.engine.beats_of(slots, DST_WORD_BITS)
