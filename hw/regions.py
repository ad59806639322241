"""The memory that a job needs: one table of regions, from which driver, docs and JSON follow."""

from dataclasses import dataclass
from math import prod

from hw.config import (
    DST_WORD_BITS,
    ENTRY_BITS,
    HISTORY_WORD_BITS,
    LEVEL_BITS,
    RECORD_BITS,
    RECORD_FIELDS,
    TOKEN_BEATS,
    VALUE_BITS,
    EngineConfig,
)


@dataclass(frozen=True)
class JobSizes:
    """What a job of N tokens, D channels and M dst slots comes to in an engine of that config.

    What a property's docstring has in backquotes is its value, as a test holds it to: a formula of
    sizes, the config's fields and `constants`, with ``ceil`` and ``max``.
    """

    config: EngineConfig
    tokens: int
    channels: int
    num_dst: int

    @property
    def num_src(self) -> int:
        """Src tokens: `tokens - num_dst`."""
        return self.tokens - self.num_dst

    @property
    def chunks(self) -> int:
        """Chunks of a token: `ceil(channels / channel_lanes)`."""
        return -(-self.channels // self.config.channel_lanes)

    @property
    def row_beats(self) -> int:
        """Beats of a token's levels: `ceil(channels * LEVEL_BITS / bus_bits)`."""
        return self.config.beats_of(self.channels, LEVEL_BITS)

    @property
    def token_row_beats(self) -> int:
        """Beats of a token's values: `row_beats * VALUE_BITS / LEVEL_BITS`."""
        return self.row_beats * TOKEN_BEATS

    @property
    def entry_beats(self) -> int:
        """Beats of the entries: `ceil(tokens * ENTRY_BITS / bus_bits)`."""
        return self.config.beats_of(self.tokens, ENTRY_BITS)

    @property
    def list_length(self) -> int:
        """Records of the longest list: `max(tokens, row_beats * levels_per_beat)`."""
        return max(self.tokens, self.row_beats * self.config.levels_per_beat)

    @property
    def record_chunks(self) -> int:
        """Whole sorter chunks of such a list: `ceil(list_length / chunk_records)`."""
        return -(-self.list_length // self.config.chunk_records)

    @property
    def record_beats(self) -> int:
        """Beats of the records: `record_chunks * chunk_records * RECORD_BITS / bus_bits`."""
        return self.record_chunks * self.config.chunk_records // self.config.records_per_beat

    @property
    def dst_beats(self) -> int:
        """Beats of the dst list: `ceil(num_dst * DST_WORD_BITS / bus_bits)`."""
        return self.config.beats_of(self.num_dst, DST_WORD_BITS)

    @property
    def history_beats(self) -> int:
        """Beats of the history of L: `ceil(max_pairings * HISTORY_WORD_BITS / bus_bits)`."""
        return self.config.beats_of(self.config.max_pairings, HISTORY_WORD_BITS)


@dataclass(frozen=True)
class Region:
    """A beat-aligned run of memory.

    Attributes:
        name: what its address register is called before ``_ADDRESS``.
        doc: what it is for.
        content: how words lie in it, word 0 in the lowest bits.
        word_bits: bits of a word.
        sizes: the `JobSizes` whose product is its number of beats.
        host: whether the host may fill it before a job.
    """

    name: str
    doc: str
    content: str
    word_bits: int
    sizes: tuple[str, ...]
    host: bool = False

    def beats(self, job: JobSizes) -> int:
        """Beats that a job needs of it."""
        return prod(int(getattr(job, size)) for size in self.sizes)

    def bytes(self, job: JobSizes) -> int:
        """The same in bytes."""
        return self.beats(job) * job.config.bus_bytes

    @property
    def formula(self) -> str:
        """Its bytes in words."""
        return " * ".join((*self.sizes, "bus_bytes"))


_RECORD = ", ".join(f"{name} ({bits} bits)" for name, bits in RECORD_FIELDS.items())

REGIONS: tuple[Region, ...] = (
    Region("TOKENS", "the host's tokens", "N rows of D values, zeros behind channel D", VALUE_BITS,
           ("tokens", "token_row_beats"), host=True),
    Region("QUANTIZED", "the quantised tokens", "N rows of D levels, zeros behind them", LEVEL_BITS,
           ("tokens", "row_beats")),
    Region("ENTRIES", "what is known of each token from pairing to pairing", "an entry a token",
           ENTRY_BITS, ("entry_beats",)),
    Region("RECORDS", "the pair records, sorted at the end", f"from bit 0 up: {_RECORD}",
           RECORD_BITS, ("record_beats",)),
    Region("SCRATCH", "as large as RECORDS, for sorting", "as RECORDS", RECORD_BITS,
           ("record_beats",)),
    Region("DST", "the initial dst list in, the final one out", "a word a slot, in slot order: the"
           " token in the lower half, the slot, which the host need not give, in the upper",
           DST_WORD_BITS, ("dst_beats",), host=True),
    Region("MOVED", "the slots that the last update moved", "as DST", DST_WORD_BITS,
           ("dst_beats",)),
    Region("HISTORY", "L after each pairing", "L a pairing", HISTORY_WORD_BITS,
           ("history_beats",)),
)  # fmt: skip
"""In the order of their address registers."""


def job_bytes(job: JobSizes) -> int:
    """Bytes of all regions of a job, one behind the other."""
    return sum(region.bytes(job) for region in REGIONS)


def largest_job(config: EngineConfig) -> JobSizes:
    """The job that needs the most memory of those that an engine holds."""
    return JobSizes(config, config.max_tokens, config.max_channels, config.max_dst)


def size_meanings() -> dict[str, tuple[str, str | None]]:
    """What a job's sizes are, in words and as a formula, in the order in which they build up."""
    given = {"tokens": "N", "channels": "D", "num_dst": "M"}
    meanings: dict[str, tuple[str, str | None]] = {name: (doc, None) for name, doc in given.items()}
    for name, member in vars(JobSizes).items():
        if isinstance(member, property):
            doc, formula = " ".join((member.__doc__ or "").split()).split(": ")
            meanings[name] = doc, formula.strip("`.")
    return meanings


def constants(config: EngineConfig) -> dict[str, int]:
    """What formulas name beside a job's sizes and the config's fields."""
    return {
        "VALUE_BITS": VALUE_BITS,
        "LEVEL_BITS": LEVEL_BITS,
        "RECORD_BITS": RECORD_BITS,
        "ENTRY_BITS": ENTRY_BITS,
        "DST_WORD_BITS": DST_WORD_BITS,
        "HISTORY_WORD_BITS": HISTORY_WORD_BITS,
        "bus_bits": config.bus_bits,
        "levels_per_beat": config.levels_per_beat,
        "chunk_records": config.chunk_records,
    }
