"""What stages hand each other: tokens, weights, pairs and dst as they travel and lie in memory."""

from amaranth.lib import data

from hw.blocks.lookup import Lookup
from hw.config import (
    DST_WORD_BITS,
    ENTRY_BITS,
    LEVEL_BITS,
    RECORD_BITS,
    RECORD_FIELDS,
    EngineConfig,
)

TOKEN_FIELD = RECORD_FIELDS["src"]
"""Bits of a token, a slot or a number of them in memory."""
LOSS_FIELD = RECORD_FIELDS["loss"]
"""Bits of a distance in memory."""
NO_SLOT = (1 << TOKEN_FIELD) - 1
"""The slot of a src that no pairing has seen."""
FARTHEST = (1 << LOSS_FIELD) - 1
"""At least every distance."""


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


def _padded(fields: dict[str, int], bits: int) -> data.StructLayout:
    """``fields`` from bit 0 up, and zeros up to ``bits``."""
    return data.StructLayout({**fields, "zero": bits - sum(fields.values())})


def entry() -> data.StructLayout:
    """What memory holds of a token from pairing to pairing, word ``token`` of the ENTRIES region.

    Members: ``loss``, the distance to the dst of the src's ``slot``; ``bound``, a bound from below
    on the distance to every other slot; ``slot`` (`NO_SLOT` before the first pairing); ``count``
    of src in the group of a dst at the last update; ``is_dst``, and ``slot`` is then the dst's own;
    ``full``: nothing is known of the src's distances, it needs every slot (``slot`` is still the
    group that it was in); ``joined``: the last pairing put it into another group than before.
    """
    return _padded(
        {
            "loss": LOSS_FIELD,
            "bound": LOSS_FIELD,
            "slot": TOKEN_FIELD,
            "count": TOKEN_FIELD,
            "is_dst": 1,
            "full": 1,
            "joined": 1,
        },
        ENTRY_BITS,
    )


def dst_word() -> data.StructLayout:
    """A slot and its token, as the DST and MOVED regions list them; 32 bits each."""
    half = DST_WORD_BITS // 2
    return data.StructLayout(
        {
            "token": TOKEN_FIELD,
            "zero": half - TOKEN_FIELD,
            "slot": TOKEN_FIELD,
            "zero_too": half - TOKEN_FIELD,
        }
    )


def member_record() -> data.StructLayout:
    """A token as a member of its group; as unsigned integers these sort into runs.

    A run a slot, in slot order: the dst first, then the group's src, ascending. ``count`` and
    ``joined`` are those of the token's `entry`.
    """
    return _padded(
        {"count": TOKEN_FIELD, "joined": 1, "token": TOKEN_FIELD, "is_src": 1, "slot": TOKEN_FIELD},
        RECORD_BITS,
    )


def pair_record() -> data.StructLayout:
    """A pair as memory holds it; as unsigned integers, records sort by (loss, src)."""
    return data.StructLayout(dict(RECORD_FIELDS))
