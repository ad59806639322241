"""Random tokens, and what the units of the quantise stage see of them."""

import torch
from torch import Tensor

from golden.qe import Statistics
from hw.config import FIXED_BITS, EngineConfig
from hw.quantize.channel_groups import CHANNEL_RECORD
from hw.quantize.channel_stats import stats_word
from tb.layouts import encode

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_BIAS = {"fp16": 15, "bf16": 127}


def random_bits(config: EngineConfig, count: int, channels: int, seed: int) -> Tensor:
    """Finite values of any bit pattern."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(-(1 << 15), 1 << 15, (count, channels), generator=generator)
    tokens = bits.to(torch.int16).view(DTYPES[config.token_format])
    return torch.where(torch.isfinite(tokens), tokens, torch.zeros_like(tokens))


def ordinary(config: EngineConfig, count: int, channels: int, seed: int) -> Tensor:
    """Normal values of very unlike spread and offset a channel, in the config's format."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.exp2(torch.randint(-9, 7, (channels,), generator=generator).float())
    offset = torch.randn(channels, generator=generator) * 4
    tokens = torch.randn(count, channels, generator=generator) * spread + offset
    return tokens.to(DTYPES[config.token_format])


def value_words(values: Tensor) -> list[int]:
    """The 16-bit words of values, row by row."""
    words: list[int] = values.contiguous().view(torch.uint16).flatten().tolist()
    return words


def stats_words(config: EngineConfig, tokens: Tensor) -> list[int]:
    """The `stats_word` of each beat of a row of tokens [N, whole beats of channels]."""
    # -0 never comes from the statistics.
    low, high = (value_words(bound + 0.0) for bound in (tokens.amin(dim=0), tokens.amax(dim=0)))
    bounds = [{"low": least, "high": most} for least, most in zip(low, high, strict=True)]
    lanes = config.values_per_beat
    return [encode(stats_word(config), bounds[i : i + lanes]) for i in range(0, len(bounds), lanes)]


def exponent_of(config: EngineConfig, statistics: Statistics) -> int:
    """The biased exponent that fixes the unit: that of the largest values that fit."""
    return statistics.unit_log2 + FIXED_BITS - 1 + _BIAS[config.token_format]


def channel_record(channel: int, span: int) -> dict[str, int]:
    """The `CHANNEL_RECORD` of a channel of that span."""
    return {
        "channel": channel,
        "inverted_span": (1 << CHANNEL_RECORD["inverted_span"].width) - 1 - span,
    }
