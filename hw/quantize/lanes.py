"""Lanes: what the quantise stage handles L channels at a time, and registers for it."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data
from amaranth.utils import exact_log2

from hw.blocks.lookup import Lookup
from hw.config import LEVEL_BITS, VALUE_BITS, EngineConfig


def max_words(config: EngineConfig) -> int:
    """Words of L channels of the longest row."""
    return config.max_channels // config.quantize_lanes


def words_of(config: EngineConfig, row_beats: Value) -> Value:
    """Words of L channels of a row of so many beats of levels: an even number, 4 or more."""
    return row_beats << exact_log2(config.levels_per_beat // config.quantize_lanes)


def values_of(config: EngineConfig) -> data.ArrayLayout:
    """A value of each of L channels."""
    return data.ArrayLayout(VALUE_BITS, config.quantize_lanes)


def value_word(config: EngineConfig) -> data.StructLayout:
    """``values`` of L channels, the word of that ``index`` in a token row, maybe its ``last``."""
    return data.StructLayout(
        {"values": values_of(config), "index": range(max_words(config)), "last": 1}
    )


def bounds_word(config: EngineConfig) -> data.ArrayLayout:
    """Of each of L channels ``low`` and ``high``, the `order_key` of its least and largest value.

    Where scales are shared the channel's position takes the place of ``high`` before tokens are
    quantised.
    """
    bounds = data.StructLayout({"low": VALUE_BITS, "high": VALUE_BITS})
    return data.ArrayLayout(bounds, config.quantize_lanes)


def bounds_lookup(config: EngineConfig) -> Lookup:
    """How bounds are asked for: by a word of the row."""
    return Lookup(range(max_words(config)), bounds_word(config))


def revisit_word(config: EngineConfig) -> data.StructLayout:
    """A second access to the bounds of a cycle, beside the lookup of a word of unlike parity.

    Members: ``index`` of the word; ``write``: it takes ``value`` of each lane where its bit in
    ``low`` or in ``high`` is 1, else it is read.
    """
    lanes = config.quantize_lanes
    return data.StructLayout(
        {
            "index": range(max_words(config)),
            "write": 1,
            "value": values_of(config),
            "low": lanes,
            "high": lanes,
        }
    )


def level_word(config: EngineConfig) -> data.ArrayLayout:
    """The levels of L channels."""
    return data.ArrayLayout(LEVEL_BITS, config.quantize_lanes)


def trail(m: Module, value: Value, cycles: int, name: str) -> Value:
    """``value`` as it was ``cycles`` before, for data: registers that no reset clears."""
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=True)
        m.d.sync += later.eq(value)
        value = later
    return value
