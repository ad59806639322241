"""DATM: the stages of a matching job, the scratchpad they share, and their memory ports."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.lookup import answer
from hw.blocks.lookup_mux import LookupMux
from hw.bus.client import ReadClient, WriteClient
from hw.bus.client_mux import ClientMux
from hw.config import EngineConfig
from hw.job import Order, derive, is_bad
from hw.pair.pairing import Pairing
from hw.phases import Phase
from hw.quantize.qe import QuantizationEngine
from hw.refine.convergence import Convergence
from hw.refine.initialize import Initialize
from hw.refine.update import Update
from hw.scratchpad import Scratchpad
from hw.sequencer import Sequencer
from hw.sort.record_source import RecordSource
from hw.sort.resolve import Resolve
from hw.sort.topk import TopK
from hw.words import weight_lookup, weight_word


class Datm(wiring.Component):
    """Runs matching jobs (docs/definition.md) on two read ports and a write port.

    Ports:
        ``run`` In `Handshake`: after start ``order`` In stays as it is until done.
        ``bad_job`` Out: sizes that this config or the algorithm does not allow; nothing was
            written. ``nonfinite`` Out: a token value was NaN or infinite; no result was written.
            ``bad_list`` Out: the host's list is not M distinct tokens below N; nothing was matched.
            All hold from done to the next start.
        ``pairings`` Out: pairings done; ``moved`` Out: slots that moved in the job's last update.
        ``phase`` Out; ``dau_busy`` Out: the DAU takes a chunk.
        ``read_a``, ``read_b`` Out `ReadClient`; ``prompt`` Out, a bit a read port: who reads takes
            every beat, whatever becomes of the other port. ``write`` Out `WriteClient`.

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
                "bad_list": Out(1),
                "pairings": Out(range(config.max_pairings + 1)),
                "moved": Out(config.count_bits),
                "phase": Out(Phase),
                "dau_busy": Out(1),
                "read_a": Out(ReadClient(config)),
                "read_b": Out(ReadClient(config)),
                "prompt": Out(2),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, order = self._config, self.order
        m.submodules.sequencer = sequencer = Sequencer()
        m.submodules.qe = qe = QuantizationEngine(config)
        m.submodules.initialize = initialize = Initialize(config)
        m.submodules.pairing = pairing = Pairing(config)
        m.submodules.convergence = convergence = Convergence(config)
        m.submodules.update = update = Update(config)
        m.submodules.topk = topk = TopK(config)
        m.submodules.resolve = resolve = Resolve(config)

        for handshake, stage in (
            (sequencer.quantize, qe),
            (sequencer.initialize, initialize),
            (sequencer.pair, pairing),
            (sequencer.converge, convergence),
            (sequencer.sort, topk),
            (sequencer.update, update),
            (sequencer.resolve, resolve),
        ):
            wiring.connect(m, handshake, stage.run)
        wiring.connect(m, wiring.flipped(self.run), sequencer.run)
        wiring.connect(m, qe.sort, sequencer.sort_channels)

        # By phase: who reads on port A, who reads on port B, who writes.
        pair = (pairing.read_entries, pairing.read_rows, pairing.write)
        sort = (topk.read_a, topk.read_b, topk.write)
        coming = sequencer.coming
        self._share_memory(
            m,
            coming,
            {
                Phase.QUANTIZE: (qe.read, None, qe.write),
                Phase.SORT_CHANNELS: sort,
                Phase.INIT: (initialize.read, None, initialize.write),
                Phase.PAIR_MOVED: pair,
                Phase.PAIR_FULL: pair,
                Phase.SORT_GROUPS: sort,
                Phase.UPDATE: (update.read_records, update.read_rows, update.write),
                Phase.SORT_PAIRS: sort,
                Phase.RESOLVE: (resolve.read_records, resolve.read_dst, resolve.write),
            },
        )
        tables: dict[Any, Any] = {
            Phase.QUANTIZE: qe,
            Phase.PAIR_MOVED: pairing,
            Phase.PAIR_FULL: pairing,
            Phase.UPDATE: update,
        }
        m.submodules.scratchpad = scratchpad = Scratchpad(config, 3)
        scratch = {phase: stage.scratch for phase, stage in tables.items()}
        self._take_turns(m, coming, scratchpad.select, scratchpad.user, scratch)
        weight = {phase: stage.weight for phase, stage in tables.items() if stage is not qe}
        m.submodules.weight_mux = weight_mux = LookupMux(weight_lookup(config), 2)
        self._take_turns(m, coming, weight_mux.select, weight_mux.asker, weight)
        self._keep_weights(m, qe.weight, weight_mux.table)

        job = derive(m, config, order)
        m.d.comb += [stage.job.eq(job) for stage in (qe, initialize, pairing, update)]
        with m.If(self.phase == Phase.DERIVE):
            m.d.sync += self.bad_job.eq(is_bad(config, order))
        moves = Signal()
        m.d.sync += moves.eq(coming == Phase.PAIR_MOVED)
        m.d.comb += [
            sequencer.bad_job.eq(self.bad_job),
            sequencer.nonfinite.eq(qe.nonfinite),
            sequencer.bad_list.eq(initialize.bad_list),
            sequencer.stop.eq(convergence.stop),
            sequencer.moved.eq(update.moved != 0),
            sequencer.every_pair.eq(order.every_pair),
            self.phase.eq(sequencer.phase),
            self.dau_busy.eq(pairing.busy),
            initialize.seed.eq(order.seed),
            initialize.host_init.eq(order.host_init),
            pairing.moved.eq(moves),
            pairing.num_moved.eq(update.moved),
            pairing.every_pair.eq(order.every_pair),
            pairing.begins.eq(moves | (self.pairings == 0) | order.every_pair),
            pairing.pairings.eq(self.pairings),
            convergence.loss.eq(pairing.loss),
            convergence.epsilon.eq(order.epsilon),
            convergence.first.eq(self.pairings == 0),
            convergence.last.eq(self.pairings == order.max_pairings - 1),
            topk.records_address.eq(job.records_address),
            topk.scratch_address.eq(job.scratch_address),
            topk.entries_address.eq(job.entries_address),
            # The defaults are those of the tokens, sorted by group.
            topk.source.eq(RecordSource.GROUPS),
            topk.count.eq(job.tokens),
            topk.keep.eq(job.tokens),
            resolve.count.eq(job.reduce),
            resolve.records_address.eq(job.records_address),
            resolve.dst_address.eq(job.dst_address),
        ]
        with m.Switch(coming):
            with m.Case(Phase.QUANTIZE, Phase.INIT):
                m.d.sync += self.prompt.eq(0b01)
            with m.Case(Phase.PAIR_MOVED, Phase.PAIR_FULL, Phase.UPDATE):
                m.d.sync += self.prompt.eq(0b10)
            with m.Default():
                m.d.sync += self.prompt.eq(0)
        # What is sorted is settled in the phase before, in which the sorter starts.
        pairs = (self.phase == Phase.UPDATE) | (self.phase == Phase.SORT_PAIRS)
        with m.If((self.phase == Phase.QUANTIZE) | (self.phase == Phase.SORT_CHANNELS)):
            m.d.comb += [
                topk.source.eq(RecordSource.WORDS),
                topk.count.eq(qe.sort_count),
                topk.keep.eq(qe.sort_count),
            ]
        with m.Elif(pairs | ((self.phase == Phase.CONVERGE) & convergence.stop)):
            m.d.comb += [topk.source.eq(RecordSource.PAIRS), topk.keep.eq(job.reduce)]
        with m.If(sequencer.quantize.done):
            m.d.sync += self.nonfinite.eq(qe.nonfinite)
        with m.If(sequencer.initialize.done):
            m.d.sync += self.bad_list.eq(initialize.bad_list)
        with m.If(sequencer.paired):
            m.d.sync += self.pairings.eq(self.pairings + 1)
        with m.If(sequencer.update.done):
            m.d.sync += self.moved.eq(update.moved)
        with m.If(self.run.start):
            m.d.sync += [
                self.bad_job.eq(0), self.nonfinite.eq(0), self.bad_list.eq(0),
                self.pairings.eq(0), self.moved.eq(0),
            ]  # fmt: skip
        return m

    def _share_memory(self, m: Module, coming: Signal, owners: dict[Any, tuple[Any, ...]]) -> None:
        """Give the memory ports to the stages whose phase it is."""
        read, write = ReadClient(self._config), WriteClient(self._config)
        ports = ((read, self.read_a), (read, self.read_b), (write, self.write))
        for which, name in enumerate(("mux_a", "mux_b", "mux_write")):
            signature, port = ports[which]
            by_phase = {phase: row[which] for phase, row in owners.items() if row[which]}
            m.submodules[name] = mux = ClientMux(signature, len({*map(id, by_phase.values())}))
            wiring.connect(m, mux.port, wiring.flipped(port))
            self._take_turns(m, coming, mux.select, mux.client, by_phase)

    def _take_turns(
        self, m: Module, coming: Signal, select: Signal, places: Any, by_phase: dict[Any, Any]
    ) -> None:
        """Connect each client to a place of a mux, which its phases select.

        The selection is a register of its own: found from the phase, it would come late to paths
        that run through a mux from one stage to another.
        """
        numbers: dict[int, int] = {}
        for client in by_phase.values():
            if id(client) not in numbers:
                numbers[id(client)] = len(numbers)
                wiring.connect(m, client, places[numbers[id(client)]])
        with m.Switch(coming):
            for phase, client in by_phase.items():
                with m.Case(phase):
                    m.d.sync += select.eq(numbers[id(client)])

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
