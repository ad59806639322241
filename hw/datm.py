"""DATM: the stages of a matching job, the tables they share, and their memory ports."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.client_mux import ReadMux, WriteMux
from hw.bus.ports import ReadClient, WriteClient
from hw.config import EngineConfig
from hw.job import Job, Order
from hw.pair.dau import weight_word
from hw.pair.packer import Packer
from hw.pair.pairing import Pairing
from hw.quantize.qe import QuantizationEngine
from hw.refine.convergence import Convergence
from hw.refine.dst_table import DstTable
from hw.refine.initialize import HOST_TOKEN_BITS, Initialize
from hw.refine.links import Links
from hw.refine.report import Report
from hw.refine.update import Update
from hw.sequencer import Phase, Sequencer
from hw.sort.topk import TopK

LOSS_WORD_BITS = 64
"""Bits of a pairing's L in the HISTORY region."""


class Datm(wiring.Component):
    """Runs matching jobs (docs/definition.md) on two read ports and a write port.

    Ports:
        ``start`` In pulse, after which ``order`` In stays as it is until ``done`` Out pulses.
        ``bad_job`` Out: sizes that this config or the algorithm does not allow; nothing was
            written. ``nonfinite`` Out: a token value was NaN or infinite; no result was written.
            Both hold from ``done`` to the next start.
        ``pairings`` Out: pairings done; ``moved`` Out: slots that moved in the job's last update.
        ``phase`` Out; ``dau_busy`` Out: the DAU takes a chunk.
        ``read_a``, ``read_b`` Out `ReadClient`; ``write`` Out `WriteClient`.

    At ``done`` the RECORDS region begins with the K records of least (loss, src), DST holds the
    dst list in slot order, and HISTORY holds L of each pairing.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "order": In(Order(config)),
                "done": Out(1),
                "bad_job": Out(1),
                "nonfinite": Out(1),
                "pairings": Out(range(config.max_pairings + 1)),
                "moved": Out(config.count_bits),
                "phase": Out(Phase),
                "dau_busy": Out(1),
                "read_a": Out(ReadClient(config)),
                "read_b": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.sequencer = self._sequencer = Sequencer()
        m.submodules.qe = self._qe = QuantizationEngine(config)
        m.submodules.initialize = self._initialize = Initialize(config)
        m.submodules.packer = self._packer = Packer(config)
        m.submodules.pairing = self._pairing = Pairing(config)
        m.submodules.convergence = self._convergence = Convergence(config)
        m.submodules.update = self._update = Update(config)
        m.submodules.topk = self._topk = TopK(config)
        m.submodules.report_dst = self._report_dst = Report(config, HOST_TOKEN_BITS, config.max_dst)
        m.submodules.report_history = self._report_history = Report(
            config, LOSS_WORD_BITS, config.max_pairings
        )
        m.submodules.dst_table = self._dst_table = DstTable(config)
        m.submodules.links = self._links = Links(config)
        job = self._derive(m)
        self._sequence(m)
        self._share_memory(m)
        self._prepare(m, job)
        self._refine(m, job)
        self._finish(m, job)
        return m

    def _derive(self, m: Module) -> data.View:
        """The job's sizes in registers, which settle while the sequencer derives."""
        config, order = self._config, self.order
        job = Signal(Job(config))

        def divide_up(value: Value, by: int) -> Value:
            return (value + (by - 1)) >> exact_log2(by)

        m.d.sync += [
            job.tokens.eq(order.tokens),
            job.num_dst.eq(order.num_dst),
            job.num_src.eq(job.tokens - job.num_dst),
            job.reduce.eq(order.reduce),
            job.chunks.eq(divide_up(order.channels, config.channel_lanes)),
            job.row_beats.eq(divide_up(order.channels, config.nibbles_per_beat)),
            job.tile_beats.eq(divide_up(job.chunks, config.words_per_beat)),
            job.tiles.eq(divide_up(job.num_dst, config.dst_lanes)),
            job.src_tiles.eq(divide_up(job.num_src, config.src_lanes)),
            *(job[name].eq(order[name]) for name in Job.addresses),
        ]
        return job

    def _is_bad(self) -> Value:
        config, order = self._config, self.order
        return (
            (order.tokens < 2)
            | (order.tokens > config.max_tokens)
            | (order.channels < 1)
            | (order.channels > config.max_channels)
            | (order.num_dst < 1)
            | (order.num_dst > config.max_dst)
            | (order.num_dst >= order.tokens)
            | (order.reduce > order.tokens - order.num_dst)
            | (order.max_pairings < 1)
            | (order.max_pairings > config.max_pairings)
        )

    def _sequence(self, m: Module) -> None:
        """Connect the sequencer with the stages that it starts."""
        sequencer, qe, update = self._sequencer, self._qe, self._update
        for handshake, stage in (
            (sequencer.quantize, qe),
            (sequencer.initialize, self._initialize),
            (sequencer.pair, self._pairing),
            (sequencer.converge, self._convergence),
            (sequencer.update, update),
            (sequencer.sort, self._topk),
            (sequencer.report_dst, self._report_dst),
            (sequencer.report_history, self._report_history),
        ):
            m.d.comb += [stage.start.eq(handshake.start), handshake.done.eq(stage.done)]
        bad = self._is_bad()
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.bad_job.eq(bad),
            sequencer.nonfinite.eq(qe.nonfinite),
            sequencer.sort_channels.eq(qe.sort_start),
            qe.sort_done.eq(sequencer.channels_sorted),
            sequencer.packed.eq(self._packer.idle),
            sequencer.stop.eq(self._convergence.stop),
            sequencer.moved.eq(update.moved != 0),
            self.phase.eq(sequencer.phase),
            self.done.eq(sequencer.done),
            self.dau_busy.eq(self._pairing.busy),
        ]
        with m.If(sequencer.quantize.done):
            m.d.sync += self.nonfinite.eq(qe.nonfinite)
        with m.If(sequencer.pair.done):
            m.d.sync += self.pairings.eq(self.pairings + 1)
        with m.If(sequencer.update.done):
            m.d.sync += self.moved.eq(update.moved)
        with m.If(self.start):
            m.d.sync += [
                self.bad_job.eq(bad), self.nonfinite.eq(0), self.pairings.eq(0), self.moved.eq(0),
            ]  # fmt: skip

    def _share_memory(self, m: Module) -> None:
        """Give the memory ports to the stages whose phase it is."""
        pairing, update, topk, packer = self._pairing, self._update, self._topk, self._packer
        # By phase: who reads on port A, who reads on port B, who writes.
        owners = {
            Phase.QUANTIZE: (self._qe.read, None, self._qe.write),
            Phase.SORT_CHANNELS: (topk.read_a, topk.read_b, topk.write),
            Phase.INIT: (packer.read, self._initialize.read, packer.write),
            Phase.PACK: (packer.read, None, packer.write),
            Phase.PAIR: (pairing.read_dst, pairing.read_src, pairing.write),
            Phase.UPDATE: (packer.read, update.read, packer.write),
            Phase.TOPK: (topk.read_a, topk.read_b, topk.write),
            Phase.REPORT_DST: (None, None, self._report_dst.write),
            Phase.REPORT_HISTORY: (None, None, self._report_history.write),
        }
        ports = (self.read_a, self.read_b, self.write)
        for name, mux_type, which in (
            ("mux_a", ReadMux, 0), ("mux_b", ReadMux, 1), ("mux_write", WriteMux, 2),
        ):  # fmt: skip
            clients: list[wiring.PureInterface] = []
            for row in owners.values():
                if row[which] is not None and not any(row[which] is c for c in clients):
                    clients.append(row[which])
            m.submodules[name] = mux = mux_type(self._config, len(clients))
            wiring.connect(m, mux.port, wiring.flipped(ports[which]))
            for index, client in enumerate(clients):
                wiring.connect(m, client, mux.client[index])
            with m.Switch(self.phase):
                for phase, row in owners.items():
                    for index, client in enumerate(clients):
                        if row[which] is client:
                            with m.Case(phase):
                                m.d.comb += mux.select.eq(index)

    def _prepare(self, m: Module, job: data.View) -> None:
        """Quantise, init and pack."""
        qe, initialize, packer, table = self._qe, self._initialize, self._packer, self._dst_table
        m.d.comb += [
            qe.tokens.eq(job.tokens),
            qe.row_beats.eq(job.row_beats),
            qe.tokens_address.eq(job.tokens_address),
            qe.quantized_address.eq(job.quantized_address),
            qe.records_address.eq(job.records_address),
            initialize.job.eq(job),
            initialize.seed.eq(self.order.seed),
            initialize.host_init.eq(self.order.host_init),
            packer.row_beats.eq(job.row_beats),
            packer.tile_beats.eq(job.tile_beats),
            packer.quantized_address.eq(job.quantized_address),
            packer.packed_address.eq(job.packed_address),
            # The table is cleared while the tokens are quantised, which takes longer.
            table.clear.eq(self._sequencer.quantize.start),
            table.tokens.eq(job.tokens),
        ]
        self._assign(m)

    def _assign(self, m: Module) -> None:
        """Hand each slot's new dst to the dst table and to the packer, in whichever order."""
        table, packer = self._dst_table.assign, self._packer.dst
        initial, moved = self._initialize.assign, self._update.assign
        updating = self.phase == Phase.UPDATE
        chosen = Signal(table.payload.shape())
        offered = Signal()
        in_table, in_packer = Signal(), Signal()
        table_done = in_table | table.ready
        packer_done = in_packer | packer.ready
        taken = offered & table_done & packer_done
        m.d.comb += [
            chosen.eq(Mux(updating, moved.payload, initial.payload)),
            offered.eq(Mux(updating, moved.valid, initial.valid)),
            table.payload.eq(chosen),
            table.valid.eq(offered & ~in_table),
            packer.payload.slot.eq(chosen.slot),
            packer.payload.token.eq(chosen.token),
            packer.valid.eq(offered & ~in_packer),
            initial.ready.eq(taken & ~updating),
            moved.ready.eq(taken & updating),
        ]
        with m.If(offered):
            m.d.sync += [in_table.eq(table_done & ~taken), in_packer.eq(packer_done & ~taken)]

    def _refine(self, m: Module, job: data.View) -> None:
        """Pair, converge and update."""
        config, order = self._config, self.order
        qe, pairing, update, links = self._qe, self._pairing, self._update, self._links
        table, convergence = self._dst_table, self._convergence
        m.submodules.weights = weights = Memory(
            shape=weight_word(config), depth=config.max_chunks, init=[]
        )
        write, read = weights.write_port(), weights.read_port()
        updating = self.phase == Phase.UPDATE
        wiring.connect(m, pairing.push, links.push)
        m.d.comb += [
            pairing.job.eq(job),
            pairing.is_dst.eq(table.is_dst),
            pairing.token.eq(table.token),
            pairing.weight.eq(read.data),
            table.index.eq(pairing.index),
            links.clear.eq(self._sequencer.pair.start),
            links.num_dst.eq(job.num_dst),
            links.slot.eq(update.link_slot),
            links.src.eq(update.link_src),
            update.job.eq(job),
            update.token.eq(table.token),
            update.group.eq(links.group),
            update.next.eq(links.next),
            update.weight.eq(read.data),
            convergence.loss.eq(pairing.loss),
            convergence.epsilon.eq(order.epsilon),
            convergence.first.eq(self.pairings == 0),
            convergence.last.eq(self.pairings == order.max_pairings - 1),
            write.en.eq(qe.weight.valid),
            write.addr.eq(qe.weight.payload.address),
            write.data.eq(qe.weight.payload.data),
            read.addr.eq(Mux(updating, update.weight_chunk, pairing.weight_chunk)),
        ]

    def _finish(self, m: Module, job: data.View) -> None:
        """Top-k, and the reports of the dst list and of the history of L."""
        config, topk, table = self._config, self._topk, self._dst_table
        m.submodules.history = history = Memory(
            shape=config.loss_bits, depth=config.max_pairings, init=[]
        )
        write, read = history.write_port(), history.read_port()
        sorting_channels = (self.phase == Phase.QUANTIZE) | (self.phase == Phase.SORT_CHANNELS)
        m.d.comb += [
            topk.count.eq(Mux(sorting_channels, self._qe.sort_count, job.num_src)),
            topk.keep.eq(Mux(sorting_channels, self._qe.sort_count, job.reduce)),
            topk.records_address.eq(job.records_address),
            topk.scratch_address.eq(job.scratch_address),
            self._report_dst.words.eq(job.num_dst),
            self._report_dst.address.eq(job.dst_address),
            self._report_dst.word.eq(table.token),
            self._report_history.words.eq(self.pairings),
            self._report_history.address.eq(job.history_address),
            self._report_history.word.eq(read.data),
            read.addr.eq(self._report_history.index),
            write.en.eq(self._sequencer.pair.done),
            write.addr.eq(self.pairings),
            write.data.eq(self._pairing.loss),
        ]
        with m.Switch(self.phase):
            with m.Case(Phase.PAIR):
                m.d.comb += table.slot.eq(self._pairing.slot)
            with m.Case(Phase.UPDATE):
                m.d.comb += table.slot.eq(self._update.slot)
            with m.Default():
                m.d.comb += table.slot.eq(self._report_dst.index)
