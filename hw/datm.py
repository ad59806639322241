"""DATM: the stages of a matching job, the tables they share, and their memory ports."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.lookup import Lookup, answer
from hw.blocks.lookup_mux import LookupMux
from hw.blocks.stream_fork import StreamFork
from hw.bus.client import ReadClient, WriteClient
from hw.bus.client_mux import ClientMux
from hw.config import DST_WORD_BITS, HISTORY_WORD_BITS, EngineConfig
from hw.job import Order, derive, is_bad
from hw.pair.packer import Packer
from hw.pair.pairing import Pairing
from hw.phases import Phase
from hw.quantize.qe import QuantizationEngine
from hw.refine.convergence import Convergence
from hw.refine.dst_table import DstTable
from hw.refine.initialize import Initialize
from hw.refine.links import Links
from hw.refine.report import Report
from hw.refine.update import Update
from hw.sequencer import Sequencer
from hw.sort.topk import TopK
from hw.words import assignment, dst_lookup, weight_lookup, weight_word


class Datm(wiring.Component):
    """Runs matching jobs (docs/definition.md) on two read ports and a write port.

    Ports:
        ``run`` In `Handshake`: after start ``order`` In stays as it is until done.
        ``bad_job`` Out: sizes that this config or the algorithm does not allow; nothing was
            written. ``nonfinite`` Out: a token value was NaN or infinite; no result was written.
            Both hold from done to the next start.
        ``pairings`` Out: pairings done; ``moved`` Out: slots that moved in the job's last update.
        ``phase`` Out; ``dau_busy`` Out: the DAU takes a chunk.
        ``read_a``, ``read_b`` Out `ReadClient`; ``write`` Out `WriteClient`.

    At done the RECORDS region begins with the K records of least (loss, src), DST holds the dst
    list in slot order, and HISTORY holds L of each pairing.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "order": In(Order(config)),
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
        config, order = self._config, self.order
        history_lookup = Lookup(range(config.max_pairings), config.loss_bits)
        m.submodules.sequencer = sequencer = Sequencer()
        m.submodules.qe = qe = QuantizationEngine(config)
        m.submodules.initialize = initialize = Initialize(config)
        m.submodules.packer = packer = Packer(config)
        m.submodules.pairing = pairing = Pairing(config)
        m.submodules.convergence = convergence = Convergence(config)
        m.submodules.update = update = Update(config)
        m.submodules.topk = topk = TopK(config)
        m.submodules.report_dst = report_dst = Report(
            config, dst_lookup(config), DST_WORD_BITS, config.max_dst
        )
        m.submodules.report_history = report_history = Report(
            config, history_lookup, HISTORY_WORD_BITS, config.max_pairings
        )
        m.submodules.dst_table = dst_table = DstTable(config)
        m.submodules.links = links = Links(config)

        for handshake, stage in (
            (sequencer.quantize, qe),
            (sequencer.initialize, initialize),
            (sequencer.pair, pairing),
            (sequencer.converge, convergence),
            (sequencer.update, update),
            (sequencer.sort, topk),
            (sequencer.report_dst, report_dst),
            (sequencer.report_history, report_history),
        ):
            wiring.connect(m, handshake, stage.run)
        wiring.connect(m, wiring.flipped(self.run), sequencer.run)
        wiring.connect(m, qe.sort, sequencer.sort_channels)
        wiring.connect(m, pairing.push, links.push)
        wiring.connect(m, update.group, links.group)
        wiring.connect(m, update.next, links.next)
        wiring.connect(m, pairing.is_dst, dst_table.is_dst)

        # By phase: who reads on port A, who reads on port B, who writes.
        self._share_memory(
            m,
            {
                Phase.QUANTIZE: (qe.read, None, qe.write),
                Phase.SORT_CHANNELS: (topk.read_a, topk.read_b, topk.write),
                Phase.INIT: (packer.read, initialize.read, packer.write),
                Phase.PACK: (packer.read, None, packer.write),
                Phase.PAIR: (pairing.read_dst, pairing.read_src, pairing.write),
                Phase.UPDATE: (packer.read, update.read, packer.write),
                Phase.TOPK: (topk.read_a, topk.read_b, topk.write),
                Phase.REPORT_DST: (None, None, report_dst.write),
                Phase.REPORT_HISTORY: (None, None, report_history.write),
            },
        )
        dst = {
            Phase.PAIR: pairing.dst,
            Phase.UPDATE: update.dst,
            Phase.REPORT_DST: report_dst.table,
        }
        weight = {Phase.PAIR: pairing.weight, Phase.UPDATE: update.weight}
        m.submodules.dst_mux = dst_mux = LookupMux(dst_lookup(config), len(dst))
        m.submodules.weight_mux = weight_mux = LookupMux(weight_lookup(config), len(weight))
        self._take_turns(m, dst_mux.select, dst_mux.asker, dst)
        self._take_turns(m, weight_mux.select, weight_mux.asker, weight)
        wiring.connect(m, dst_mux.table, dst_table.dst)
        self._keep_weights(m, qe.weight, weight_mux.table)
        self._hand_out(m, initialize, update, dst_table, packer)
        job = derive(m, config, order)
        m.d.comb += [stage.job.eq(job) for stage in (qe, initialize, packer, pairing, update)]
        bad = is_bad(config, order)
        sorting_channels = (self.phase == Phase.QUANTIZE) | (self.phase == Phase.SORT_CHANNELS)
        m.d.comb += [
            sequencer.bad_job.eq(bad),
            sequencer.nonfinite.eq(qe.nonfinite),
            sequencer.all_packed.eq(packer.idle),
            sequencer.stop.eq(convergence.stop),
            sequencer.moved.eq(update.moved != 0),
            self.phase.eq(sequencer.phase),
            self.dau_busy.eq(pairing.busy),
            initialize.seed.eq(order.seed),
            initialize.host_init.eq(order.host_init),
            # The table is cleared while the tokens are quantised, which takes longer.
            dst_table.clear.eq(sequencer.quantize.start),
            dst_table.tokens.eq(job.tokens),
            links.clear.eq(sequencer.pair.start),
            links.num_dst.eq(job.num_dst),
            convergence.loss.eq(pairing.loss),
            convergence.epsilon.eq(order.epsilon),
            convergence.first.eq(self.pairings == 0),
            convergence.last.eq(self.pairings == order.max_pairings - 1),
            topk.count.eq(Mux(sorting_channels, qe.sort_count, job.num_src)),
            topk.keep.eq(Mux(sorting_channels, qe.sort_count, job.reduce)),
            topk.records_address.eq(job.records_address),
            topk.scratch_address.eq(job.scratch_address),
            report_dst.words.eq(job.num_dst),
            report_dst.address.eq(job.dst_address),
            report_history.words.eq(self.pairings),
            report_history.address.eq(job.history_address),
        ]
        m.submodules.history = history = Memory(
            shape=config.loss_bits, depth=config.max_pairings, init=[]
        )
        write = history.write_port()
        m.d.comb += [
            write.en.eq(sequencer.pair.done),
            write.addr.eq(self.pairings),
            write.data.eq(pairing.loss),
        ]
        answer(m, report_history.table, history.read_port())
        with m.If(sequencer.quantize.done):
            m.d.sync += self.nonfinite.eq(qe.nonfinite)
        with m.If(sequencer.pair.done):
            m.d.sync += self.pairings.eq(self.pairings + 1)
        with m.If(sequencer.update.done):
            m.d.sync += self.moved.eq(update.moved)
        with m.If(self.run.start):
            m.d.sync += [
                self.bad_job.eq(bad), self.nonfinite.eq(0), self.pairings.eq(0), self.moved.eq(0),
            ]  # fmt: skip
        return m

    def _share_memory(self, m: Module, owners: dict[Any, tuple[Any, ...]]) -> None:
        """Give the memory ports to the stages whose phase it is."""
        read, write = ReadClient(self._config), WriteClient(self._config)
        ports = ((read, self.read_a), (read, self.read_b), (write, self.write))
        for which, name in enumerate(("mux_a", "mux_b", "mux_write")):
            signature, port = ports[which]
            by_phase = {phase: row[which] for phase, row in owners.items() if row[which]}
            m.submodules[name] = mux = ClientMux(signature, len({*map(id, by_phase.values())}))
            wiring.connect(m, mux.port, wiring.flipped(port))
            self._take_turns(m, mux.select, mux.client, by_phase)

    def _take_turns(self, m: Module, select: Signal, places: Any, by_phase: dict[Any, Any]) -> None:
        """Connect each client to a place of a mux, which its phases select."""
        numbers: dict[int, int] = {}
        for client in by_phase.values():
            if id(client) not in numbers:
                numbers[id(client)] = len(numbers)
                wiring.connect(m, client, places[numbers[id(client)]])
        with m.Switch(self.phase):
            for phase, client in by_phase.items():
                with m.Case(phase):
                    m.d.comb += select.eq(numbers[id(client)])

    def _keep_weights(self, m: Module, weight: Any, lookup: wiring.PureInterface) -> None:
        """Keep the weights that the quantiser finds."""
        m.submodules.weights = weights = Memory(
            shape=weight_word(self._config), depth=self._config.max_chunks, init=[]
        )
        write = weights.write_port()
        answer(m, lookup, weights.read_port())
        m.d.comb += [
            write.en.eq(weight.valid),
            write.addr.eq(weight.payload.index),
            write.data.eq(weight.payload.weights),
        ]

    def _hand_out(
        self, m: Module, initialize: Initialize, update: Update, dst_table: DstTable, packer: Packer
    ) -> None:
        """Hand each slot's new dst to the dst table and to the packer."""
        m.submodules.assign_fork = fork = StreamFork(assignment(self._config), 2)
        wiring.connect(m, fork.o[0], dst_table.assign)
        wiring.connect(m, fork.o[1], packer.assign)
        with m.If(self.phase == Phase.UPDATE):
            wiring.connect(m, update.assign, fork.i)
        with m.Else():
            wiring.connect(m, initialize.assign, fork.i)
