"""Initialize: the first dst list, drawn by the sampler or given by the host."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient
from hw.config import DST_WORD_BITS, SEED_BITS, EngineConfig
from hw.job import Job
from hw.refine.sampler import Sampler
from hw.words import assignment


class Initialize(wiring.Component):
    """Assigns a token to each of the M slots, in slot order (docs/definition.md, 'Init').

    Ports: ``run`` In `Handshake`: after start ``job``, ``seed`` and ``host_init`` In stay as they
    are, and done comes in the cycle in which the last slot is taken; ``read`` Out `ReadClient` of
    the DST region, used with ``host_init``; ``assign`` Out stream of `assignment`.

    The host's list is trusted: tokens are distinct and below N. Its tokens are assigned one a cycle
    as memory gives them, those of the sampler when it offers them.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "seed": In(SEED_BITS),
                "host_init": In(1),
                "read": Out(ReadClient(config)),
                "assign": Out(stream.Signature(assignment(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.sampler = sampler = Sampler(config)
        m.submodules.unpacker = unpacker = Unpacker(config.bus_bits, DST_WORD_BITS, config.max_dst)
        per_beat = config.bus_bits // DST_WORD_BITS
        wiring.connect(m, wiring.flipped(self.read.beat), unpacker.beat)
        asking = Signal()
        slot = Signal(config.count_bits)
        left = Signal(config.count_bits)
        request, assign, word = self.read.request, self.assign, unpacker.word
        token = Mux(self.host_init, word.payload.data, sampler.dst.payload)
        m.d.comb += [
            sampler.seed.eq(self.seed),
            sampler.tokens.eq(self.job.tokens),
            sampler.num_dst.eq(self.job.num_dst),
            sampler.run.start.eq(self.run.start & ~self.host_init),
            unpacker.words.eq(self.job.num_dst),
            request.valid.eq(asking),
            request.payload.address.eq(self.job.dst_address),
            request.payload.beats.eq((self.job.num_dst + per_beat - 1) >> exact_log2(per_beat)),
            # One expression for the whole payload: a slot's first token replaces none.
            assign.payload.eq(Cat(slot[: config.slot_bits], token[: config.token_bits])),
            assign.valid.eq(Mux(self.host_init, word.valid, sampler.dst.valid)),
            word.ready.eq(assign.ready & self.host_init),
            sampler.dst.ready.eq(assign.ready & ~self.host_init),
        ]

        with m.If(request.valid & request.ready):
            m.d.sync += asking.eq(0)
        with m.If(assign.valid & assign.ready):
            m.d.sync += [slot.eq(slot + 1), left.eq(left - 1)]
            m.d.comb += self.run.done.eq(left == 1)
        with m.If(self.run.start):
            m.d.sync += [asking.eq(self.host_init), slot.eq(0), left.eq(self.job.num_dst)]
        return m
