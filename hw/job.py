"""Job: the sizes and addresses of one matching job, as every stage sees them."""

from amaranth.lib import data

from hw.config import EngineConfig

_ADDRESSES = tuple(
    f"{region}_address"
    for region in ("tokens", "quantized", "packed", "records", "scratch", "dst", "history")
)


class Order(data.StructLayout):
    """A job as the host gives it; `hw.datm.Datm` checks it and derives a `Job` from it.

    Members, 32 bits where nothing is said: ``tokens`` N, ``channels`` D, ``num_dst`` M,
    ``reduce`` K, ``seed``, ``max_pairings``; ``epsilon`` (Q0.16, 16 bits); ``host_init`` (1 bit:
    the dst list is in the DST region); the byte addresses of the regions, as in `Job`.
    """

    def __init__(self, config: EngineConfig):
        sizes = ("tokens", "channels", "num_dst", "reduce", "seed", "max_pairings")
        super().__init__(
            {
                **dict.fromkeys(sizes, 32),
                "epsilon": 16,
                "host_init": 1,
                **dict.fromkeys(_ADDRESSES, config.address_bits),
            }
        )


class Job(data.StructLayout):
    """Constant while the engine is busy.

    Members: ``tokens`` N; ``num_dst`` M; ``num_src`` N - M; ``reduce`` K; ``chunks`` of a token;
    ``row_beats`` of a quantised token; ``tile_beats`` of a packed tile; ``tiles`` of P dst;
    ``src_tiles`` of Q src; the byte addresses of the regions.
    """

    addresses = _ADDRESSES

    def __init__(self, config: EngineConfig):
        count = config.count_bits
        super().__init__(
            {
                "tokens": count,
                "num_dst": count,
                "num_src": count,
                "reduce": count,
                "chunks": config.max_chunks.bit_length(),
                "row_beats": config.max_row_beats.bit_length(),
                "tile_beats": (config.max_row_beats * config.dst_lanes).bit_length(),
                "tiles": count,
                "src_tiles": count,
                **dict.fromkeys(_ADDRESSES, config.address_bits),
            }
        )
