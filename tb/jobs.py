"""Random matching jobs, and how they lie in memory: what the stage testbenches have in common."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from amaranth.hdl import Shape, ShapeLike
from torch import Tensor

from golden.datm import Match, match
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from hw.config import DST_WORD_BITS, HISTORY_WORD_BITS, LEVEL_BITS, EngineConfig
from hw.job import Job
from hw.regions import REGIONS, JobSizes
from hw.words import dst_word, pair_record, weight_word
from tb.layouts import encode, from_bytes, to_bytes

_ROOM = 1 << 15
"""Bytes between two regions: room for any job of the tiny and demo configs in tests."""
ADDRESS = {region.name: place * _ROOM for place, region in enumerate(REGIONS)}
"""Where each region begins."""
MEMORY_BYTES = len(REGIONS) * _ROOM


@dataclass(frozen=True)
class Sizes(JobSizes):
    """N, D, M and K of a job, and what follows from them."""

    reduce: int = 0

    def job(self) -> int:
        """The `Job` port's value."""
        layout = Job(self.config)
        addresses = {f"{name.lower()}_address": address for name, address in ADDRESS.items()}
        sizes = {name: getattr(self, name) for name, _ in layout if name not in addresses}
        return encode(layout, sizes | addresses)


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
    padded = torch.zeros(q.shape[0], sizes.row_beats * sizes.config.levels_per_beat, dtype=q.dtype)
    padded[:, : q.shape[1]] = q
    return to_bytes(LEVEL_BITS, padded.flatten().tolist())


def dst_words(tokens: Iterable[int]) -> list[dict[str, int]]:
    """The words of a dst list in slot order, as the engine leaves them."""
    return [
        {"token": token, "zero": 0, "slot": slot, "zero_too": 0}
        for slot, token in enumerate(tokens)
    ]


def host_dst_bytes(tokens: Iterable[int]) -> bytes:
    """A dst list as a host may leave it in the DST region: of the slots, nothing true."""
    return to_bytes(DST_WORD_BITS, [0xFFFF_FFFF << 32 | token for token in tokens])


def weight_words(sizes: Sizes, weight: Tensor) -> list[int]:
    """The weight word of each chunk; channels beyond D have weight 0."""
    config = sizes.config
    per_chunk = config.channel_lanes // config.scale_group
    weights = weight[:: config.scale_group].tolist()
    weights += [0] * (sizes.chunks * per_chunk - len(weights))
    return [
        encode(weight_word(config), weights[i : i + per_chunk])
        for i in range(0, len(weights), per_chunk)
    ]


@dataclass(frozen=True)
class MatchCase:
    """A whole job: 16-bit tokens [N, D], what `golden.datm.match` takes, how the engine runs it."""

    config: EngineConfig
    tokens: Tensor
    num_dst: int
    reduce: int
    options: MatchOptions = MatchOptions(seed=1)
    every_pair: bool = False
    read_ahead: bool = True
    watchdog: int = 0

    @property
    def sizes(self) -> Sizes:
        """N, D and M."""
        tokens, channels = self.tokens.shape
        return Sizes(self.config, tokens, channels, self.num_dst, self.reduce)

    def order(self) -> dict[str, int]:
        """The members of the `Order` port, and the registers of the same names."""
        return {
            "tokens": self.tokens.shape[0],
            "channels": self.tokens.shape[1],
            "num_dst": self.num_dst,
            "reduce": self.reduce,
            "seed": self.options.seed,
            "max_pairings": self.options.max_iterations,
            "epsilon": self.options.epsilon_q16,
            "host_init": int(self.options.init is not None),
            "every_pair": int(self.every_pair),
            "read_ahead": int(self.read_ahead),
            "watchdog": self.watchdog,
        } | {f"{name.lower()}_address": address for name, address in ADDRESS.items()}

    def load(self, write: Callable[[int, bytes], None]) -> None:
        """Write the regions that the host fills."""
        rows = torch.zeros(
            self.tokens.shape[0],
            self.sizes.token_row_beats * self.config.values_per_beat,
            dtype=self.tokens.dtype,
        )
        rows[:, : self.tokens.shape[1]] = self.tokens
        write(ADDRESS["TOKENS"], rows.view(torch.int16).numpy().astype("<i2").tobytes())
        if self.options.init is not None:
            write(ADDRESS["DST"], host_dst_bytes(self.options.init))

    def quantized(self) -> Quantized:
        """Its tokens as the engine of its config quantises them."""
        return quantize(
            self.tokens,
            scale_group=self.config.scale_group,
            token_format="bf16" if self.config.token_format == "bf16" else "fp16",
            weight_bits=self.config.weight_bits,
        )

    def expect(self) -> Match:
        """What the golden model makes of it."""
        return match(self.quantized(), self.num_dst, self.reduce, self.options)

    def compare(self, read: Callable[[int, int], bytes], pairings: int) -> None:
        """Hold what the engine left in memory against the golden model."""
        expected = self.expect()

        def words(region: str, shape: ShapeLike, count: int) -> list[Any]:
            size = count * Shape.cast(shape).width // 8
            return from_bytes(shape, read(ADDRESS[region], size))

        assert words("HISTORY", HISTORY_WORD_BITS, pairings) == list(expected.loss_history)
        assert words("DST", dst_word(), self.num_dst) == dst_words(expected.medoids.tolist())
        records = words("RECORDS", pair_record(), self.reduce)
        for name in ("src", "dst", "loss"):
            assert [record[name] for record in records] == getattr(expected, name).tolist(), name


def random_tokens(config: EngineConfig, tokens: int, channels: int, seed: int) -> Tensor:
    """Clustered tokens in the config's format, so that medoids move; channel scales differ."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(max(2, tokens // 5), channels, generator=generator)
    own = torch.randint(0, len(centres), (tokens,), generator=generator)
    noise = torch.randn(tokens, channels, generator=generator)
    scale = torch.rand(channels, generator=generator) * 2 + 0.1
    format_of = {"fp16": torch.float16, "bf16": torch.bfloat16}[config.token_format]
    return ((centres[own] + 0.3 * noise) * scale).to(format_of)


def match_cases(config: EngineConfig, most_tokens: int) -> list[MatchCase]:
    """Jobs of every edge size, and some ordinary ones of at most ``most_tokens`` tokens."""
    lanes, top = config.channel_lanes, config.max_channels

    def case(n: int, d: int, m: int, k: int, seed: int, **rest: Any) -> MatchCase:
        options = MatchOptions(seed=seed, **rest)
        return MatchCase(config, random_tokens(config, n, d, seed), m, k, options)

    alike = torch.full((12, lanes + 1), 1.5).to(random_tokens(config, 2, 1, 0).dtype)
    pairs = random_tokens(config, 6, lanes, 3).repeat(3, 1)
    n = most_tokens
    refined = case(n, top, n // 4, (3 * n) // 8, 5, epsilon=0)
    return [
        case(2, 1, 1, 1, 1),
        case(9, 1, 8, 1, 2),
        case(9, lanes - 1, 1, 8, 3, epsilon=0),
        case(14, lanes + 1, 4, 0, 4),
        refined,
        case(n, top - 1, n // 4, n - n // 4, 6, max_iterations=1),
        case(n, 2 * lanes, 5, n - 5, 0x9E3779B9, max_iterations=2),
        case(n - 1, top, n // 2, 3, 7, init=tuple(range(n - 2, n - 2 - n // 2, -1))),
        MatchCase(config, alike, 3, 9),
        MatchCase(config, pairs, 6, 12, MatchOptions(seed=1, epsilon=0, init=(0, 1, 2, 3, 4, 6))),
        replace(refined, every_pair=True),
    ]


def coarse_cases(config: EngineConfig) -> list[MatchCase]:
    """Jobs of whole numbers, whose distances and scores tie; and one that ends by epsilon."""
    values = random_tokens(config, 2, 1, 0).dtype
    cases = []
    for n, d, m, k, levels in ((40, 2, 6, 20, 16), (60, 2, 4, 20, 14), (44, 3, 6, 19, 9)):
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(0, levels, (n, d), generator=generator).to(values)
        cases.append(MatchCase(config, tokens, m, k, MatchOptions(seed=0, epsilon=0)))
    converging = MatchOptions(seed=3, epsilon=0.3)
    return [*cases, MatchCase(config, random_tokens(config, 40, 12, 3), 8, 11, converging)]
