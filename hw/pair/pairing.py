"""Pairing: src tokens to their nearest dst slots (docs/definition.md, 'Pairing')."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.lookup_mux import LookupMux
from hw.blocks.pipeline import delay
from hw.bus.client import ReadClient, WriteClient
from hw.bus.read_share import ReadShare
from hw.bus.word_writer import WordWriter
from hw.config import EngineConfig
from hw.job import Job
from hw.pair.dau import Dau
from hw.pair.dst_loader import DstLoader
from hw.pair.dst_rows import DstRows
from hw.pair.least_two import LeastTwo, nearest_lookup
from hw.pair.limits import Limits, merge_wait
from hw.pair.settle import Settle
from hw.pair.src_loader import SrcLoader
from hw.pair.src_rows import SrcRows, src_index
from hw.scratchpad import ScratchPort
from hw.words import weight_lookup


class Pairing(wiring.Component):
    """One pass of a pairing: src tile by src tile, the dst of a list stream past its rows.

    A src tile's R groups of Q rows stay in the scratchpad while every dst of the list is compared
    with them, P dst, Q src and C channels a cycle; a tile of P dst serves the R groups one after
    another, so that a dst row is read once for R * Q src. A group is done with a dst tile early,
    once each of the P * Q distances is beyond what can change its src (`Limits`).

    Ports:
        ``run`` In `Handshake`: after start ``job`` In stays as it is, and done comes after the
            entries are in memory.
        ``moved`` In, with ``num_moved`` In: compare the src that are not ``full`` with so many
            slots of the MOVED region, at least one; else those that are, or all where
            ``every_pair`` In is 1, with all slots of the DST region.
        ``begins`` In: a pairing begins with this pass. ``pairings`` In: those done before it.
            ``loss`` Out: L, the sum of the losses since a pairing began; a pass that is not
            ``moved`` ends a pairing, and writes L to the HISTORY region.
        ``weight`` Out `weight_lookup`. ``scratch`` Out `ScratchPort`.
        ``read_entries``, ``read_rows`` Out `ReadClient`; ``write`` Out `WriteClient`.
        ``busy`` Out: the DAU takes a chunk.

    Where memory keeps up, a src tile's groups take at most max(chunks, `pass_cycles`) cycles each
    for every dst tile; before that its rows are loaded, and afterwards its src are settled.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "moved": In(1),
                "num_moved": In(config.count_bits),
                "every_pair": In(1),
                "begins": In(1),
                "pairings": In(range(config.max_pairings + 1)),
                "loss": Out(config.loss_bits),
                "weight": Out(weight_lookup(config)),
                "scratch": Out(ScratchPort(config)),
                "read_entries": Out(ReadClient(config)),
                "read_rows": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
                "busy": Out(1),
            }
        )

    @staticmethod
    def pass_cycles(config: EngineConfig) -> int:
        """Least cycles of Q src with P dst: what comes out is merged src by src."""
        return max(LeastTwo.cycles(config), Dau.latency + 2)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, job = self._config, self.job
        m.submodules.src_loader = src = SrcLoader(config)
        m.submodules.src_rows = src_rows = SrcRows(config)
        m.submodules.dst_loader = dst = DstLoader(config)
        m.submodules.dst_rows = dst_rows = DstRows(config)
        m.submodules.dau = dau = Dau(config)
        m.submodules.least_two = least_two = LeastTwo(config)
        drain = merge_wait(config, Dau.latency)
        m.submodules.limits = limits = Limits(config, drain)
        m.submodules.settle = settle = Settle(config)
        m.submodules.found_mux = found_mux = LookupMux(nearest_lookup(config), 2)
        m.submodules.words = words = WordWriter(config)
        m.submodules.rows = share = ReadShare(config, 3)
        wiring.connect(m, src.known, settle.known)
        wiring.connect(m, src.part, src_rows.part)
        wiring.connect(m, dst.part, dst_rows.part)
        wiring.connect(m, least_two.group_slot, settle.group_slot)
        wiring.connect(m, settle.found, found_mux.asker[0])
        wiring.connect(m, limits.found, found_mux.asker[1])
        wiring.connect(m, found_mux.table, least_two.found)
        wiring.connect(m, limits.bound, settle.bound)
        wiring.connect(m, src_rows.scratch, wiring.flipped(self.scratch))
        wiring.connect(m, src.read_entries, wiring.flipped(self.read_entries))
        # The dst of a tile are few, and asked for only where there is room: they never wait long.
        wiring.connect(m, dst.read_list, share.client[0])
        wiring.connect(m, dst.read_rows, share.client[1])
        wiring.connect(m, src.read_rows, share.client[2])
        wiring.connect(m, share.port, wiring.flipped(self.read_rows))
        wiring.connect(m, words.write, wiring.flipped(self.write))
        history = Signal()
        m.d.comb += [
            src.job.eq(job),
            src.moved.eq(self.moved),
            src.every_pair.eq(self.every_pair),
            dst.job.eq(job),
            settle.count.eq(src.count),
            settle.moved.eq(self.moved),
            settle.entries_address.eq(job.entries_address),
            self.loss.eq(settle.loss),
            words.word.valid.eq(settle.word.valid | history),
            words.word.payload.eq(settle.word.payload),
            settle.word.ready.eq(words.word.ready),
        ]
        m.d.sync += [
            dst.address.eq(Mux(self.moved, job.moved_address, job.dst_address)),
            dst.length.eq(Mux(self.moved, self.num_moved, job.num_dst)),
        ]
        with m.If(history):
            m.d.comb += [
                words.word.payload.address.eq(job.history_address + (self.pairings << 3)),
                words.word.payload.data.eq(self.loss),
                words.word.payload.half.eq(1),
            ]
        compare, compared = self._compare(m, src, src_rows, dst, dst_rows, dau, limits)
        m.d.comb += found_mux.select.eq(compare)
        self._merge(m, dst, dau, least_two, compared)

        wait = Signal(range(max(DstLoader.begin_latency, drain) + 1))
        m.d.sync += wait.eq(wait - 1)
        m.d.sync += self.run.done.eq(0)
        with m.FSM():
            # The next pass may start with the done of this one.
            with m.State("IDLE"), m.If(self.run.start):
                m.next = "SIZE"
            with m.State("SIZE"):
                m.next = "START"
            with m.State("START"):
                m.d.comb += [src.start.eq(1), dst.begin.eq(1), settle.clear.eq(self.begins)]
                m.d.sync += wait.eq(DstLoader.begin_latency)
                m.next = "BEGIN"
            with m.State("BEGIN"), m.If(wait == 0):
                m.next = "NEXT"
            with m.State("NEXT"):
                m.d.comb += src.next.eq(1)
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += dst.start.eq(src.found)
                with m.If(src.loaded & (src.count == 0)):
                    m.next = "LAST"
                with m.Elif(src.loaded):
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.comb += compare.eq(1)
                m.d.sync += wait.eq(drain)
                with m.If(compared.src_tile):
                    m.next = "DRAIN"
            with m.State("DRAIN"), m.If(wait == 0):
                m.d.comb += settle.run.start.eq(1)
                m.next = "SETTLE"
            with m.State("SETTLE"), m.If(settle.run.done):
                m.next = "NEXT"
            with m.State("LAST"):
                # Three states after the last src is settled, so that L is whole.
                assert Settle.loss_latency <= 3
                m.d.comb += history.eq(~self.moved)
                with m.If(words.word.ready | self.moved):
                    m.next = "LAND"
            with m.State("LAND"), m.If(self.write.idle):
                m.d.sync += self.run.done.eq(1)
                m.next = "IDLE"
        return m

    def _compare(
        self,
        m: Module,
        src: SrcLoader,
        src_rows: SrcRows,
        dst: DstLoader,
        dst_rows: DstRows,
        dau: Dau,
        limits: Limits,
    ) -> tuple[Signal, "_Compared"]:
        """Send word after word into the DAU while the returned signal is 1."""
        config, job = self._config, self.job
        compare = Signal()
        compared = _Compared(config)
        chunk = Signal(config.chunk_index_bits)
        group = Signal(range(max(2, config.src_groups)))
        spacing = Signal(range(self.pass_cycles(config)))
        tile = dst.tile.payload
        abandon = self._abandon(m, dst, dau, limits, compared, chunk != 0)
        whole = chunk == job.chunks - 1
        last_chunk = whole | abandon
        last_group = group == src.groups - 1
        take = Signal()
        m.d.comb += [
            take.eq(compare & dst.tile.valid & (~last_chunk | (spacing == 0))),
            self.busy.eq(take),
            compared.group.eq(take & last_chunk),
            compared.tile.eq(compared.group & last_group),
            compared.src_tile.eq(compared.tile & tile.last),
            dst.tile.ready.eq(compared.tile),
            dst.free.eq(compared.tile),
            src_rows.group.eq(group),
            src_rows.chunk.eq(chunk),
            dst_rows.address.eq(tile.address + chunk),
            self.weight.index.eq(chunk),
        ]
        with m.If(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        with m.If(take):
            m.d.sync += chunk.eq(chunk + 1)
        with m.If(compared.group):
            m.d.sync += [
                chunk.eq(0),
                group.eq(Mux(last_group, 0, group + 1)),
                compared.base.eq(Mux(last_group, 0, compared.base + config.src_lanes)),
                spacing.eq(self.pass_cycles(config) - 1),
            ]
        with m.If(compared.tile):
            m.d.sync += compared.first.eq(tile.last)
        m.d.sync += compared.begun.eq(compared.group | ~compare)
        m.d.comb += [
            compared.whole.eq(whole),
            limits.start.eq(compared.begun),
            limits.base.eq(compared.base),
            limits.first.eq(compared.first),
            limits.moved.eq(self.moved),
            limits.count.eq(src.count),
        ]

        # On cycle 1 the memories answer.
        m.d.sync += [
            dau.chunk.valid.eq(take),
            dau.chunk.payload.first.eq(chunk == 0),
            dau.chunk.payload.last.eq(last_chunk),
        ]
        m.d.comb += [
            dau.chunk.payload.dst.eq(dst_rows.word),
            dau.chunk.payload.src.eq(src_rows.word),
            dau.chunk.payload.weight.eq(self.weight.entry),
        ]
        return compare, compared

    def _abandon(
        self,
        m: Module,
        dst: DstLoader,
        dau: Dau,
        limits: Limits,
        compared: "_Compared",
        under_way: Value,
    ) -> Signal:
        """1 when every pair under way is beyond its src's limit: the rest cannot matter."""
        config = self._config
        # A sum counts once the pass's first chunk is in it and has been compared.
        settle = Dau.latency + 2
        age = Signal(range(settle + 1))
        abandon = Signal()
        unused = [lane >= dst.tile.payload.lanes for lane in range(config.dst_lanes)]
        beyond = [
            dau.beyond[q] | Cat(unused) | limits.idle[q].replicate(config.dst_lanes)
            for q in range(config.src_lanes)
        ]
        m.d.comb += dau.limit.eq(limits.limit)
        # What is beyond was compared with the limits of a cycle before.
        valid = limits.valid & delay(m, limits.valid, 1, "limits_valid")
        m.d.sync += abandon.eq(valid & (age == settle) & Cat(beyond).all() & ~compared.group)
        with m.If(compared.group):
            m.d.sync += age.eq(0)
        with m.Elif(under_way & (age != settle)):
            m.d.sync += age.eq(age + 1)
        return abandon

    def _merge(
        self, m: Module, dst: DstLoader, dau: Dau, least_two: LeastTwo, compared: "_Compared"
    ) -> None:
        """Tell whose the distances are that come out; the next ones come only after these."""
        tile = least_two.tile.payload
        with m.If(compared.group):
            m.d.sync += [
                tile.slots.eq(dst.tile.payload.slots),
                tile.lanes.eq(dst.tile.payload.lanes),
                tile.base.eq(compared.base),
                tile.first.eq(compared.first),
                tile.abandoned.eq(~compared.whole),
            ]
        m.d.comb += [
            least_two.tile.valid.eq(dau.tile.valid),
            tile.distances.eq(dau.tile.payload),
        ]


class _Compared:
    """The ends of what is compared, each 1 in the cycle of its last chunk; and where it is."""

    def __init__(self, config: EngineConfig):
        self.group = Signal()
        self.tile = Signal()
        self.src_tile = Signal()
        self.begun = Signal()
        self.whole = Signal()
        self.base = Signal(src_index(config))
        self.first = Signal(init=1)
