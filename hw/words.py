"""What stages hand each other: tokens, weights, pairs and dst as they travel and are asked for."""

from amaranth.lib import data

from hw.blocks.lookup import Lookup
from hw.config import LEVEL_BITS, RECORD_FIELDS, EngineConfig


def chunk_word(config: EngineConfig) -> data.ArrayLayout:
    """One chunk: C quantised channels of one token."""
    return data.ArrayLayout(LEVEL_BITS, config.channel_lanes)


def weight_word(config: EngineConfig) -> data.ArrayLayout:
    """The weights of one chunk: one a channel, or one in all where scales are shared."""
    return data.ArrayLayout(config.weight_bits, config.channel_lanes // config.scale_group)


def weight_lookup(config: EngineConfig) -> Lookup:
    """How a chunk's weights are asked for."""
    return Lookup(config.chunk_index_bits, weight_word(config))


def chunk_weights(config: EngineConfig) -> data.StructLayout:
    """The weights of the chunk of an ``index``, as the quantiser finds them."""
    return data.StructLayout({"index": config.chunk_index_bits, "weights": weight_word(config)})


def assignment(config: EngineConfig) -> data.StructLayout:
    """A slot's new dst token, and the one that it replaces where ``replaces`` is 1."""
    return data.StructLayout(
        {
            "slot": config.slot_bits,
            "token": config.token_bits,
            "old": config.token_bits,
            "replaces": 1,
        }
    )


def dst_lookup(config: EngineConfig) -> Lookup:
    """How the dst token of a slot is asked for."""
    return Lookup(config.slot_bits, config.token_bits)


def is_dst_lookup(config: EngineConfig) -> Lookup:
    """How it is asked whether a token is a dst."""
    return Lookup(config.token_bits, 1)


def link(config: EngineConfig) -> data.StructLayout:
    """A src token for the list of a slot."""
    return data.StructLayout({"slot": config.slot_bits, "src": config.token_bits})


def pair_record() -> data.StructLayout:
    """A pair as memory holds it; as unsigned integers, records sort by (loss, src)."""
    return data.StructLayout(dict(RECORD_FIELDS))
