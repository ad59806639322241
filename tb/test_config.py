"""The config: every rule with its sentence, both sides of each bound, widths, and the hash."""

import dataclasses
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from hw.config import PRESETS, RECORD_BITS, EngineConfig

TINY = PRESETS["tiny"]

POWERS = (
    "channel_lanes", "bus_bytes", "quantize_lanes", "update_lanes", "sorter_width", "burst_beats",
    "fifo_beats",
)  # fmt: skip

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 1}, "max_tokens is 1, but must be from 2 to 131072"),
    ({"max_tokens": 131_073}, "max_tokens is 131073, but must be from 2 to 131072"),
    ({"max_channels": 0}, "max_channels is 0, but must be from 1 to 65536"),
    ({"max_channels": 65_552}, "max_channels is 65552, but must be from 1 to 65536"),
    ({"max_dst": 0}, "max_dst is 0, but must be from 1 to 63"),
    ({"max_dst": 64}, "max_dst is 64, but must be from 1 to 63"),
    ({"weight_bits": 0}, "weight_bits is 0, but must be from 1 to 8"),
    ({"weight_bits": 9}, "weight_bits is 9, but must be from 1 to 8"),
    ({"bus_bytes": 8}, "bus_bytes is 8, but must be from 16 to 128"),
    ({"bus_bytes": 256}, "bus_bytes is 256, but must be from 16 to 128"),
    ({"dst_lanes": 0}, "dst_lanes is 0, but must be from 1 to 64"),
    ({"dst_lanes": 65}, "dst_lanes is 65, but must be from 1 to 64"),
    ({"src_lanes": 0}, "src_lanes is 0, but must be from 1 to 64"),
    ({"src_lanes": 65}, "src_lanes is 65, but must be from 1 to 64"),
    ({"src_groups": 0}, "src_groups is 0, but must be from 1 to 64"),
    ({"src_groups": 65}, "src_groups is 65, but must be from 1 to 64"),
    ({"channel_lanes": 2}, "channel_lanes is 2, but must be from 4 to 16"),
    ({"channel_lanes": 32}, "channel_lanes is 32, but must be from 4 to 16"),
    ({"sorter_width": 1}, "sorter_width is 1, but must be from 2 to 256"),
    ({"sorter_width": 512}, "sorter_width is 512, but must be from 2 to 256"),
    ({"max_pairings": 0}, "max_pairings is 0, but must be from 1 to 65536"),
    ({"max_pairings": 65_537}, "max_pairings is 65537, but must be from 1 to 65536"),
    ({"burst_beats": 512}, "burst_beats is 512, but must be from 1 to 256"),
    (
        {"burst_beats": 64, "bus_bytes": 128, "fifo_beats": 128, "max_channels": 256},
        "burst_beats is 64, but must be from 1 to 32",
    ),
    ({"fifo_beats": 4}, "fifo_beats is 4, but must be from 8 to 4096"),
    ({"fifo_beats": 8192}, "fifo_beats is 8192, but must be from 8 to 4096"),
    ({"address_bits": 15}, "address_bits is 15, but must be from 16 to 64"),
    ({"address_bits": 65}, "address_bits is 65, but must be from 16 to 64"),
    ({"quantize_lanes": 1}, "quantize_lanes is 1, but must be from 2 to 8"),
    ({"quantize_lanes": 16}, "quantize_lanes is 16, but must be from 2 to 8"),
    ({"update_lanes": 1}, "update_lanes is 1, but must be from 2 to 2"),
    ({"update_lanes": 4}, "update_lanes is 4, but must be from 2 to 2"),
    (
        {"channel_lanes": 16, "update_lanes": 16},
        "update_lanes is 16, but must be from 2 to 8",
    ),
    ({"token_format": "fp32"}, "token_format is 'fp32', but must be fp16 or bf16"),
    ({"scale_group": 2}, "scale_group is 2, but must be 1 or channel_lanes (4)"),
    (
        {"max_channels": 24},
        "max_channels is 24, but must be a multiple of the 32 quantised channels of a beat",
    ),
    (
        {"max_channels": 32_768},
        "a distance needs 31 bits, but a record holds 30: lower max_channels or weight_bits",
    ),
]  # fmt: skip

ACCEPTED: list[dict[str, Any]] = [
    {"max_tokens": 2, "max_dst": 1},
    {"max_tokens": 131_072},
    {"max_tokens": 131_072, "max_dst": 131_071},
    {"max_channels": 32},
    {"max_channels": 16_384},
    {"max_channels": 65_536, "weight_bits": 6},
    {"max_dst": 63},
    {"weight_bits": 1},
    {"bus_bytes": 128, "max_channels": 256},
    {"channel_lanes": 16},
    {"channel_lanes": 16, "update_lanes": 8},
    {"sorter_width": 2},
    {"sorter_width": 256},
    {"max_pairings": 1},
    {"max_pairings": 65_536},
    {"burst_beats": 1},
    {"burst_beats": 256, "fifo_beats": 512},
    {"burst_beats": 32, "bus_bytes": 128, "fifo_beats": 64, "max_channels": 256},
    {"fifo_beats": 8},
    {"fifo_beats": 4096},
    {"address_bits": 16},
    {"address_bits": 64},
    {"quantize_lanes": 8},
    {"token_format": "bf16"},
    {"scale_group": 4},
    {"dst_lanes": 1},
    {"dst_lanes": 3},
    {"dst_lanes": 64},
    {"src_lanes": 1},
    {"src_lanes": 14},
    {"src_lanes": 64},
    {"src_groups": 1},
    {"src_groups": 5},
    {"src_groups": 64},
]

# By hand from docs/definition.md, 'Exactness', and the presets' sizes.
DERIVED = {
    "tiny": {
        "token_bits": 6, "count_bits": 7, "slot_bits": 5, "channel_bits": 6, "distance_bits": 22,
        "loss_bits": 29, "sum_bits": 10, "lanes": 16, "levels_per_beat": 32,
        "values_per_beat": 8, "records_per_beat": 2, "chunks_per_beat": 8, "max_row_beats": 2,
        "max_token_row_beats": 8, "max_chunks": 16, "chunk_records": 4, "list_beats": 32,
        "resident_src": 4, "scratch_banks": 2, "scratch_depth": 32,
    },
    "ulx3s": {
        "token_bits": 10, "count_bits": 11, "slot_bits": 9, "channel_bits": 7, "distance_bits": 23,
        "loss_bits": 34, "sum_bits": 14, "lanes": 96, "levels_per_beat": 32,
        "values_per_beat": 8, "records_per_beat": 2, "chunks_per_beat": 2, "max_row_beats": 4,
        "max_token_row_beats": 16, "max_chunks": 8, "chunk_records": 4, "list_beats": 512,
        "resident_src": 12, "scratch_banks": 6, "scratch_depth": 32,
    },
    "demo": {
        "token_bits": 10, "count_bits": 11, "slot_bits": 9, "channel_bits": 8, "distance_bits": 24,
        "loss_bits": 35, "sum_bits": 14, "lanes": 256, "levels_per_beat": 128,
        "values_per_beat": 32, "records_per_beat": 8, "chunks_per_beat": 8, "max_row_beats": 2,
        "max_token_row_beats": 8, "max_chunks": 16, "chunk_records": 16, "list_beats": 128,
        "resident_src": 32, "scratch_banks": 8, "scratch_depth": 128,
    },
    "compact": {
        "token_bits": 17, "count_bits": 17, "slot_bits": 16, "channel_bits": 12,
        "distance_bits": 28, "loss_bits": 45, "sum_bits": 20, "lanes": 256,
        "levels_per_beat": 32, "values_per_beat": 8, "records_per_beat": 2,
        "chunks_per_beat": 2, "max_row_beats": 96, "max_token_row_beats": 384, "max_chunks": 192,
        "chunk_records": 2, "list_beats": 33_792, "resident_src": 32, "scratch_banks": 8,
        "scratch_depth": 768,
    },
    "paper": {
        "token_bits": 17, "count_bits": 17, "slot_bits": 16, "channel_bits": 12,
        "distance_bits": 28, "loss_bits": 45, "sum_bits": 20, "lanes": 512,
        "levels_per_beat": 64, "values_per_beat": 16, "records_per_beat": 4,
        "chunks_per_beat": 4, "max_row_beats": 48, "max_token_row_beats": 192, "max_chunks": 192,
        "chunk_records": 4, "list_beats": 16_896, "resident_src": 80, "scratch_banks": 8,
        "scratch_depth": 1920,
    },
    "quad": {
        "token_bits": 17, "count_bits": 17, "slot_bits": 16, "channel_bits": 12,
        "distance_bits": 28, "loss_bits": 45, "sum_bits": 20, "lanes": 2048,
        "levels_per_beat": 128, "values_per_beat": 32, "records_per_beat": 8,
        "chunks_per_beat": 8, "max_row_beats": 24, "max_token_row_beats": 96, "max_chunks": 192,
        "chunk_records": 8, "list_beats": 8_448, "resident_src": 80, "scratch_banks": 16,
        "scratch_depth": 960,
    },
}  # fmt: skip

# What each stage needs of the scratchpad, by hand: Q chunks side by side of each of R groups; a
# word of 64 bits for two channels, or for three times as many where scales are shared; U sums.
SCRATCH: list[tuple[dict[str, Any], int, int]] = [
    ({"src_lanes": 9}, 3, 32),  # 9 chunks of 16 bits
    ({"src_lanes": 8}, 2, 32),
    ({"src_groups": 3}, 2, 48),
    ({"src_groups": 1}, 2, 16),
    ({"quantize_lanes": 8, "src_groups": 1}, 8, 16),  # 16 chunks; 32 words, but 8 side by side
    ({"scale_group": 4}, 6, 32),
    ({"scale_group": 4, "quantize_lanes": 4}, 12, 32),
    ({"channel_lanes": 16, "update_lanes": 8, "src_groups": 1}, 8, 16),  # 32 words for 2 lanes
    ({"channel_lanes": 16, "update_lanes": 8, "quantize_lanes": 8, "src_groups": 1}, 8, 4),
]


@pytest.mark.parametrize(("changes", "banks", "depth"), SCRATCH, ids=str)
def test_the_scratchpad_holds_what_the_most_demanding_stage_needs(
    changes: dict[str, Any], banks: int, depth: int
) -> None:
    config = replace(TINY, **changes)
    assert (config.scratch_banks, config.scratch_depth) == (banks, depth)


@pytest.mark.parametrize("name", POWERS)
@pytest.mark.parametrize("value", [-2, 0, 3, 12])
def test_sizes_that_are_no_power_of_two_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is {value}, but must be a power of two$"):
        replace(TINY, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED, ids=lambda part: str(part)[:40])
def test_bad_values_are_refused_with_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^.+$") as caught:
        replace(TINY, **changes)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("changes", ACCEPTED, ids=str)
def test_values_at_each_bound_are_accepted(changes: dict[str, Any]) -> None:
    config = replace(TINY, **changes)
    assert changes.items() <= config.as_dict().items()


@pytest.mark.parametrize("name", PRESETS)
def test_derived_sizes_of_the_presets(name: str) -> None:
    config = PRESETS[name]
    assert {key: getattr(config, key) for key in DERIVED[name]} == DERIVED[name]


@pytest.mark.parametrize("max_tokens", [2, 3, 4, 5, 63, 64, 65, 131_072])
@pytest.mark.parametrize("weight_bits", [1, 8])
def test_widths_just_hold_their_largest_value(max_tokens: int, weight_bits: int) -> None:
    config = replace(TINY, max_tokens=max_tokens, max_dst=max_tokens - 1, weight_bits=weight_bits)
    distance = config.max_channels * (2**weight_bits - 1) * 15**2
    largest = {
        "token_bits": max_tokens - 1,
        "count_bits": max_tokens,
        "channel_bits": config.max_channels - 1,
        "distance_bits": distance,
        "sum_bits": 15 * max_tokens,
    }
    for name, value in largest.items():
        assert 2 ** (getattr(config, name) - 1) <= value < 2 ** getattr(config, name), name
    assert 2**config.slot_bits > config.max_dst - 1
    assert config.slot_bits == 1 or 2 ** (config.slot_bits - 1) <= config.max_dst - 1
    assert distance * max_tokens < 2**config.loss_bits


def test_a_record_is_a_64_bit_word() -> None:
    assert RECORD_BITS == 64


@pytest.mark.parametrize("name", ["paper", "compact", "quad"])
def test_a_preset_that_holds_both_models(name: str) -> None:
    config = PRESETS[name]
    for tokens in (17_550, 67_320):
        assert tokens <= config.max_tokens
        assert tokens // 4 <= config.max_dst
    assert config.max_channels >= 3_072


def test_the_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TINY.dst_lanes = 4  # type: ignore[misc]


def test_every_field_is_documented() -> None:
    assert all(item.metadata.get("doc") for item in dataclasses.fields(EngineConfig))


def test_the_hash_is_that_of_the_sorted_fields() -> None:
    text = (
        '{"address_bits": 40, "burst_beats": 4, "bus_bytes": 16, "channel_lanes": 4,'
        ' "dst_lanes": 2, "fifo_beats": 16, "max_channels": 64, "max_dst": 32,'
        ' "max_pairings": 32, "max_tokens": 64, "quantize_lanes": 2, "scale_group": 1,'
        ' "sorter_width": 4, "src_groups": 2, "src_lanes": 2, "token_format": "fp16",'
        ' "update_lanes": 2, "weight_bits": 8}'
    )
    assert TINY.hash == int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def test_the_hash_survives_json_and_tells_every_field_apart() -> None:
    assert EngineConfig(**json.loads(json.dumps(TINY.as_dict()))).hash == TINY.hash
    others = [
        replace(TINY, max_tokens=65),
        replace(TINY, max_channels=32),
        replace(TINY, max_dst=31),
        replace(TINY, dst_lanes=1),
        replace(TINY, src_lanes=1),
        replace(TINY, channel_lanes=8),
        replace(TINY, src_groups=1),
        replace(TINY, bus_bytes=32),
        replace(TINY, scale_group=4),
        replace(TINY, token_format="bf16"),
        replace(TINY, weight_bits=7),
        replace(TINY, quantize_lanes=4),
        replace(TINY, channel_lanes=8, update_lanes=4),
        replace(TINY, sorter_width=8),
        replace(TINY, max_pairings=31),
        replace(TINY, burst_beats=2),
        replace(TINY, fifo_beats=32),
        replace(TINY, address_bits=39),
    ]
    assert len(others) == len(dataclasses.fields(EngineConfig))
    assert len({config.hash for config in [TINY, *others, *PRESETS.values()]}) == len(others) + len(
        PRESETS
    )
