"""Initialize: the first entries in memory, and the first dst list, drawn or given by the host."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient, WriteClient
from hw.bus.client_mux import ClientMux
from hw.bus.word_writer import WordWriter, written_word
from hw.config import DST_WORD_BITS, ENTRY_BITS, SEED_BITS, EngineConfig
from hw.job import Job, divide_up
from hw.refine.list_check import ListCheck
from hw.refine.sampler import Sampler
from hw.words import NO_SLOT, dst_word, entry


class Initialize(wiring.Component):
    """Makes every token a src, then assigns a dst to each slot (docs/definition.md, 'Init').

    First all entries are written in one run of whole beats, so that the last beat may hold some
    beyond token N - 1. When they are in memory, for each slot in slot order: its word in the DST
    region, then its token's entry. The host's list is read from there while it is rewritten: a word
    is written only after it was read. Of its words only the token, their lower half, counts. From
    the first one on that is not below N nothing more is written; else `ListCheck` looks for one
    that is there twice.

    Ports: ``run`` In `Handshake`: after start ``job``, ``seed`` and ``host_init`` In stay as they
    are, and done comes when all is in memory; ``bad_list`` Out, from done to the next start: the
    host's list is not M distinct tokens below N; ``read`` Out `ReadClient`, used with
    ``host_init``; ``write`` Out `WriteClient`.

    Cycles: the run of entries is asked for in the cycle after start; its beats follow, one a cycle
    where memory takes them. In the second cycle in which memory is idle after them the list begins:
    the sampler starts, and the host's list is asked for a cycle later. A slot's two words leave
    `slot_latency` cycles after its token is taken and in the next cycle; a token is taken when it
    is offered, but `slot_cycles` after the one before at the earliest. Memory that holds a word off
    delays what follows. Done comes in the cycle after memory is idle again, or, if the list is
    checked, in the one after that check's, which starts in memory's first idle cycle.
    """

    slot_latency = 2
    slot_cycles = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "seed": In(SEED_BITS),
                "host_init": In(1),
                "bad_list": Out(1),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.writer = writer = WordWriter(config)
        m.submodules.mux = mux = ClientMux(WriteClient(config), 2)
        wiring.connect(m, writer.write, mux.client[1])
        wiring.connect(m, mux.port, wiring.flipped(self.write))
        request, beat = mux.client[0].request, mux.client[0].beat
        per_beat = config.bus_bits // ENTRY_BITS
        blank = entry().const({"slot": NO_SLOT, "full": 1}).as_value()
        beats = Signal(config.count_bits)
        m.d.comb += [
            request.payload.address.eq(self.job.entries_address),
            request.payload.beats.eq(divide_up(self.job.tokens, per_beat)),
            beat.payload.data.eq(blank.replicate(per_beat)),
            beat.payload.strobe.eq(~0),
        ]

        m.submodules.check = check = ListCheck(config)
        m.submodules.readers = readers = ClientMux(ReadClient(config), 2)
        wiring.connect(m, check.read, readers.client[1])
        wiring.connect(m, readers.port, wiring.flipped(self.read))
        m.d.comb += check.job.eq(self.job)

        begin = Signal()
        tokens = self._tokens(m, begin, readers.client[0])
        written = self._write_slots(m, begin, *tokens, writer.word)
        m.d.sync += self.run.done.eq(0)
        with m.FSM(name="initialize"):
            with m.State("IDLE"), m.If(self.run.start):
                m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += request.valid.eq(1)
                m.d.sync += beats.eq(request.payload.beats)
                with m.If(request.ready):
                    m.next = "FILL"
            with m.State("FILL"):
                m.d.comb += beat.valid.eq(1)
                with m.If(beat.ready):
                    m.d.sync += beats.eq(beats - 1)
                    with m.If(beats == 1):
                        m.next = "LAND"
            with m.State("LAND"), m.If(self.write.idle):
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += begin.eq(1)
                m.next = "SLOTS"
            with m.State("SLOTS"):
                m.d.comb += mux.select.eq(1)
                with m.If(written & self.write.idle):
                    with m.If(self.host_init & ~self.bad_list):
                        m.d.comb += check.run.start.eq(1)
                        m.next = "CHECK"
                    with m.Else():
                        m.d.sync += self.run.done.eq(1)
                        m.next = "IDLE"
            with m.State("CHECK"):
                m.d.comb += readers.select.eq(1)
                with m.If(check.run.done):
                    m.d.sync += [self.run.done.eq(1), self.bad_list.eq(~check.distinct)]
                    m.next = "IDLE"
        return m

    def _tokens(
        self, m: Module, begin: Value, read: wiring.PureInterface
    ) -> tuple[Value, Value, Signal]:
        """The list's tokens, from ``begin`` on: valid, half a DST word, ready."""
        config = self._config
        m.submodules.sampler = sampler = Sampler(config)
        m.submodules.unpacker = unpacker = Unpacker(config.bus_bits, DST_WORD_BITS, config.max_dst)
        wiring.connect(m, read.beat, unpacker.beat)
        asking = Signal()
        ready = Signal()
        request, word = read.request, unpacker.word
        per_beat = config.bus_bits // DST_WORD_BITS
        m.d.comb += [
            sampler.seed.eq(self.seed),
            sampler.tokens.eq(self.job.tokens),
            sampler.num_dst.eq(self.job.num_dst),
            sampler.run.start.eq(begin & ~self.host_init),
            sampler.dst.ready.eq(ready & ~self.host_init),
            request.valid.eq(asking),
            request.payload.address.eq(self.job.dst_address),
            request.payload.beats.eq(divide_up(self.job.num_dst, per_beat)),
            unpacker.words.eq(self.job.num_dst),
            word.ready.eq(ready & self.host_init),
        ]
        with m.If(begin):
            m.d.sync += asking.eq(self.host_init)
        with m.Elif(request.ready):
            m.d.sync += asking.eq(0)
        valid = Mux(self.host_init, word.valid, sampler.dst.valid)
        token = Mux(self.host_init, word.payload.data, sampler.dst.payload)
        return valid, token[: DST_WORD_BITS // 2], ready

    def _write_slots(
        self, m: Module, begin: Value, valid: Value, taken: Value, ready: Signal, writer: Any
    ) -> Value:
        """Write the two words of each slot; whether all have been handed to memory."""
        config = self._config
        slot = Signal(config.count_bits)
        left = Signal(config.count_bits)
        named = Signal(DST_WORD_BITS // 2)
        token = named[: config.token_bits]
        held = Signal()
        beyond = Signal()
        second = Signal()  # The first of the token's two words has been made.
        entry_at = Signal(config.address_bits)
        dst_at = Signal(config.address_bits)
        listed = Signal(dst_word())
        dst_entry = Signal(entry())
        word = Signal(written_word(config))
        offered = Signal()
        free = Signal()
        last = Signal()
        m.d.comb += [
            writer.valid.eq(offered),
            writer.payload.eq(word),
            free.eq(~offered | writer.ready),
            last.eq(held & second & free),
            ready.eq(~held | last),
            beyond.eq(named >= self.job.tokens),
            listed.token.eq(token),
            listed.slot.eq(slot),
            dst_entry.slot.eq(slot),
            dst_entry.is_dst.eq(1),
        ]
        # The address of the entry is added up while the DST word is made.
        m.d.sync += entry_at.eq(self.job.entries_address + (token << exact_log2(ENTRY_BITS // 8)))
        with m.If(free):
            m.d.sync += [
                offered.eq(held & ~beyond & ~self.bad_list),
                second.eq(held & ~second),
                word.half.eq(~second),
            ]
            with m.If(second):
                m.d.sync += [word.address.eq(entry_at), word.data.eq(dst_entry)]
            with m.Else():
                m.d.sync += [word.address.eq(dst_at), word.data.eq(listed)]
        with m.If(last):
            m.d.sync += [
                held.eq(0),
                slot.eq(slot + 1),
                left.eq(left - 1),
                dst_at.eq(dst_at + DST_WORD_BITS // 8),
            ]
        with m.If(valid & ready):
            m.d.sync += [held.eq(1), named.eq(taken)]
        with m.If(held & beyond):
            m.d.sync += self.bad_list.eq(1)
        with m.If(begin):
            m.d.sync += [
                self.bad_list.eq(0),
                slot.eq(0),
                left.eq(self.job.num_dst),
                dst_at.eq(self.job.dst_address),
            ]
        return (left == 0) & ~offered
