"""Job: the sizes and addresses of one matching job, as every stage sees them."""

from amaranth.lib import data

from hw.config import EngineConfig


class Job(data.StructLayout):
    """Constant while the engine is busy.

    Members: ``tokens`` N; ``num_dst`` M; ``num_src`` N - M; ``reduce`` K; ``chunks`` of a token;
    ``row_beats`` of a quantised token; ``tile_beats`` of a packed tile; ``tiles`` of P dst;
    ``src_tiles`` of Q src; the byte addresses of the regions.
    """

    def __init__(self, config: EngineConfig):
        count, address = config.count_bits, config.address_bits
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
                "tokens_address": address,
                "quantized_address": address,
                "packed_address": address,
                "records_address": address,
                "scratch_address": address,
                "dst_address": address,
                "history_address": address,
            }
        )
