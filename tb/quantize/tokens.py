"""Random tokens, and what the units of the quantise stage see of them."""

from typing import Any

import torch
from torch import Tensor

from golden.qe import Statistics
from hw.config import FIXED_BITS, EngineConfig
from hw.quantize.channel_groups import CHANNEL_RECORD
from hw.quantize.lanes import bounds_word
from tb.layouts import encode

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
BIAS = {"fp16": 15, "bf16": 127}


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


def order_keys(values: Tensor) -> list[int]:
    """Integers from 0 up to 2^16 - 1 that compare as the finite values do; -0 equals +0."""
    return [0x8000 + word if word < 0x8000 else 0xFFFF - word for word in value_words(values + 0.0)]


def bounds_words(config: EngineConfig, tokens: Tensor) -> list[int]:
    """The `bounds_word` of each L channels of tokens [N, whole words of channels]."""
    lows, highs = order_keys(tokens.amin(dim=0)), order_keys(tokens.amax(dim=0))
    bounds = [{"low": low, "high": high} for low, high in zip(lows, highs, strict=True)]
    lanes = config.quantize_lanes
    return [
        encode(bounds_word(config), bounds[i : i + lanes]) for i in range(0, len(bounds), lanes)
    ]


def row_words(config: EngineConfig, row: Tensor) -> list[dict[str, Any]]:
    """The `value_word` of each L channels of a row [whole words of channels]."""
    lanes, values = config.quantize_lanes, value_words(row)
    count = len(values) // lanes
    return [
        {
            "values": values[i * lanes : (i + 1) * lanes],
            "index": i,
            "last": int(i == count - 1),
        }
        for i in range(count)
    ]


def exponent_of(config: EngineConfig, statistics: Statistics) -> int:
    """The biased exponent that fixes the unit: that of the largest values that fit."""
    return statistics.unit_log2 + FIXED_BITS - 1 + BIAS[config.token_format]


def channel_record(channel: int, span: int) -> dict[str, int]:
    """The `CHANNEL_RECORD` of a channel of that span."""
    return {
        "channel": channel,
        "inverted_span": (1 << CHANNEL_RECORD["inverted_span"].width) - 1 - span,
    }
