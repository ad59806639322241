"""Job: the sizes and addresses of one matching job, as every stage sees them."""

from amaranth.lib import data

from hw.bus.registers import job_fields, job_registers
from hw.config import EngineConfig
from hw.regions import REGIONS


class Order(data.StructLayout):
    """A job as the host gives it; `hw.datm.Datm` checks it and derives a `Job` from it.

    A member for each job register and job field of docs/registers.md, as wide as the register.
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                **{register.member: register.width(config) for register in job_registers()},
                **{field.name: 1 for field in job_fields()},
            }
        )


class Job(data.StructLayout):
    """Constant while the engine is busy.

    Members: ``tokens`` N; ``num_dst`` M; ``num_src`` N - M; ``reduce`` K; ``chunks`` of a token;
    ``row_beats`` of a quantised token; ``tile_beats`` of a packed tile; ``tiles`` of P dst;
    ``src_tiles`` of Q src, as `hw.regions.JobSizes` has them; `addresses`: the byte address of each
    region.
    """

    addresses = tuple(f"{region.name.lower()}_address" for region in REGIONS)

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
                **dict.fromkeys(self.addresses, config.address_bits),
            }
        )
