"""DATM: runs a matching job through its stages (design section 3), on three memory ports."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.client_mux import ReadMux, WriteMux
from hw.config import EngineConfig
from hw.convergence import Convergence
from hw.dau import weight_word
from hw.dst_table import DstTable
from hw.initialize import HOST_TOKEN_BITS, Initialize
from hw.job import Job
from hw.links import Links
from hw.packer import Packer
from hw.pairing import Pairing
from hw.ports import ReadClient, WriteClient
from hw.qe import QuantizationEngine
from hw.report import Report
from hw.topk import TopK
from hw.update import Update

LOSS_WORD_BITS = 64
"""Bits of a pairing's L in the HISTORY region."""


class Stage(enum.Enum, shape=3):  # type: ignore[call-arg]
    """What a job is doing; the cycle counters go by it."""

    IDLE = 0
    QUANTIZE = 1
    INIT = 2
    PACK = 3
    PAIR = 4
    UPDATE = 5
    TOPK = 6


class Order(data.StructLayout):
    """A job as the host gives it; the engine checks it and derives the rest of `Job`.

    Members, 32 bits where nothing is said: ``tokens`` N, ``channels`` D, ``num_dst`` M,
    ``reduce`` K, ``seed``, ``max_pairings``; ``epsilon`` (Q0.16, 16 bits); ``host_init`` (1 bit:
    the dst list is in the DST region); the addresses of the regions, as in `Job`.
    """

    def __init__(self, config: EngineConfig):
        addresses = {
            f"{name}_address": config.address_bits
            for name in (
                "tokens", "quantized", "packed", "records", "scratch", "dst", "history",
            )
        }  # fmt: skip
        sizes = ("tokens", "channels", "num_dst", "reduce", "seed", "max_pairings")
        super().__init__({**dict.fromkeys(sizes, 32), "epsilon": 16, "host_init": 1, **addresses})


class Datm(wiring.Component):
    """The stages of DATM in their order, and the tables that they share.

    Ports:
        ``start`` In pulse, after which ``order`` In stays as it is until ``done`` Out pulses.
        ``bad_job`` Out: sizes that this config or the algorithm does not allow; nothing was
            written. ``nonfinite`` Out: a token value was NaN or infinite; no result was written.
            Both hold from ``done`` to the next start.
        ``pairings`` Out: pairings done; ``moved`` Out: slots that moved in the last update.
        ``stage`` Out; ``dau_busy`` Out: the DAU takes a chunk.
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
                "stage": Out(Stage),
                "dau_busy": Out(1),
                "read_a": Out(ReadClient(config)),
                "read_b": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
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
        m.submodules.weights = self._weights = Memory(
            shape=weight_word(config), depth=config.max_chunks, init=[]
        )
        m.submodules.history = self._history = Memory(
            shape=config.loss_bits, depth=config.max_pairings, init=[]
        )
        job = self._derive(m)
        self._share_memory(m)
        self._share_tables(m, job)
        self._assign(m)
        self._run(m, job)
        m.d.comb += [self.moved.eq(self._update.moved), self.dau_busy.eq(self._pairing.busy)]
        return m

    def _derive(self, m: Module) -> data.View:
        """The job's derived sizes, in registers, valid 3 cycles after the start."""
        config, order = self._config, self.order
        job = Signal(Job(config))

        def divide_up(value: Signal, by: int) -> object:
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
            *(
                job[name].eq(order[name])
                for name in Job(config).members
                if name.endswith("_address")
            ),
        ]
        return job

    def _share_memory(self, m: Module) -> None:
        """Give the memory ports to the stages that run."""
        config = self._config
        pairing, update, topk = self._pairing, self._update, self._topk
        users = {
            "a": [self._qe.read, self._packer.read, pairing.read_dst, topk.read_a],
            "b": [self._initialize.read, update.read, pairing.read_src, topk.read_b],
            "write": [
                self._qe.write, self._packer.write, pairing.write, topk.write,
                self._report_dst.write, self._report_history.write,
            ],
        }  # fmt: skip
        ports = {"a": self.read_a, "b": self.read_b, "write": self.write}
        self._mux = {}
        for name, clients in users.items():
            mux_type = WriteMux if name == "write" else ReadMux
            mux = self._mux[name] = mux_type(config, len(clients))
            m.submodules[f"mux_{name}"] = mux
            wiring.connect(m, mux.port, wiring.flipped(ports[name]))
            for index, client in enumerate(clients):
                wiring.connect(m, client, mux.client[index])

    def _share_tables(self, m: Module, job: data.View) -> None:
        """Connect the stages with the job, the dst table, the links and the weights."""
        qe, pairing, update, links = self._qe, self._pairing, self._update, self._links
        table, topk, report = self._dst_table, self._topk, self._report_dst
        updating = self.stage == Stage.UPDATE
        write, read = self._weights.write_port(), self._weights.read_port()
        wiring.connect(m, pairing.push, links.push)
        m.d.comb += [
            *(getattr(qe, name).eq(job[name]) for name in (
                "tokens", "row_beats", "tokens_address", "quantized_address", "records_address",
            )),
            *(getattr(self._packer, name).eq(job[name]) for name in (
                "row_beats", "tile_beats", "quantized_address", "packed_address",
            )),
            *(stage.job.eq(job) for stage in (self._initialize, pairing, update)),
            self._initialize.seed.eq(self.order.seed),
            self._initialize.host_init.eq(self.order.host_init),
            topk.records_address.eq(job.records_address),
            topk.scratch_address.eq(job.scratch_address),
            table.tokens.eq(job.tokens),
            table.index.eq(pairing.index),
            pairing.is_dst.eq(table.is_dst),
            pairing.token.eq(table.token),
            update.token.eq(table.token),
            report.word.eq(table.token),
            report.words.eq(job.num_dst),
            report.address.eq(job.dst_address),
            links.num_dst.eq(job.num_dst),
            links.slot.eq(update.link_slot),
            update.group.eq(links.group),
            links.src.eq(update.link_src),
            update.next.eq(links.next),
            write.en.eq(qe.weight.valid),
            write.addr.eq(qe.weight.payload.address),
            write.data.eq(qe.weight.payload.data),
            read.addr.eq(Mux(updating, update.weight_chunk, pairing.weight_chunk)),
            pairing.weight.eq(read.data),
            update.weight.eq(read.data),
        ]  # fmt: skip
        with m.Switch(self.stage):
            with m.Case(Stage.PAIR):
                m.d.comb += table.slot.eq(pairing.slot)
            with m.Case(Stage.UPDATE):
                m.d.comb += table.slot.eq(update.slot)
            with m.Default():
                m.d.comb += table.slot.eq(report.index)

    def _assign(self, m: Module) -> None:
        """Hand each slot's new dst to the dst table and to the packer, in whichever order."""
        table, packer = self._dst_table.assign, self._packer.dst
        sources = (self._initialize.assign, self._update.assign)
        in_table = Signal()
        in_packer = Signal()
        chosen = Signal(table.payload.shape())
        offered = Signal()
        with m.If(self.stage == Stage.UPDATE):
            m.d.comb += [chosen.eq(sources[1].payload), offered.eq(sources[1].valid)]
        with m.Else():
            m.d.comb += [chosen.eq(sources[0].payload), offered.eq(sources[0].valid)]
        table_done = in_table | table.ready
        packer_done = in_packer | packer.ready
        taken = offered & table_done & packer_done
        m.d.comb += [
            table.payload.eq(chosen),
            table.valid.eq(offered & ~in_table),
            packer.payload.slot.eq(chosen.slot),
            packer.payload.token.eq(chosen.token),
            packer.valid.eq(offered & ~in_packer),
            sources[0].ready.eq(taken & (self.stage != Stage.UPDATE)),
            sources[1].ready.eq(taken & (self.stage == Stage.UPDATE)),
        ]
        with m.If(offered):
            m.d.sync += [in_table.eq(table_done & ~taken), in_packer.eq(packer_done & ~taken)]

    def _is_bad(self) -> object:
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

    def _run(self, m: Module, job: data.View) -> None:
        """The order of the stages."""
        order, qe, topk = self.order, self._qe, self._topk
        pairing, convergence, update = self._pairing, self._convergence, self._update
        mux_a, mux_b, mux_write = (self._mux[name].select for name in ("a", "b", "write"))
        history_write, history_read = self._history.write_port(), self._history.read_port()
        starting = Signal(2)
        m.d.comb += [
            convergence.epsilon.eq(order.epsilon),
            convergence.loss.eq(pairing.loss),
            convergence.first.eq(self.pairings == 1),
            convergence.last.eq(self.pairings == order.max_pairings),
            history_write.addr.eq(self.pairings),
            history_write.data.eq(pairing.loss),
            history_read.addr.eq(self._report_history.index),
            self._report_history.word.eq(history_read.data),
            self._report_history.words.eq(self.pairings),
            self._report_history.address.eq(job.history_address),
        ]

        def sort(count: object, keep: object) -> None:
            m.d.comb += [topk.count.eq(count), topk.keep.eq(keep)]
            m.d.comb += [mux_a.eq(3), mux_b.eq(3), mux_write.eq(3)]

        def pack(from_update: bool) -> None:
            m.d.comb += [mux_a.eq(1), mux_b.eq(int(from_update)), mux_write.eq(1)]

        with m.FSM(name="run"):
            with m.State("IDLE"):
                m.d.sync += starting.eq(0)
                with m.If(self.start):
                    m.d.sync += [
                        self.pairings.eq(0), self.nonfinite.eq(0), self.bad_job.eq(self._is_bad()),
                    ]  # fmt: skip
                    m.next = "DERIVE"
            with m.State("DERIVE"):
                m.d.comb += self.stage.eq(Stage.QUANTIZE)
                m.d.sync += starting.eq(starting + 1)
                with m.If(self.bad_job):
                    m.next = "DONE"
                with m.Elif(starting == 3):
                    m.d.comb += [qe.start.eq(1), self._dst_table.clear.eq(1)]
                    m.next = "QUANTIZE"
            with m.State("QUANTIZE"):
                m.d.comb += self.stage.eq(Stage.QUANTIZE)
                with m.If(qe.sort_start):
                    m.d.comb += topk.start.eq(1)
                    sort(qe.sort_count, qe.sort_count)
                    m.next = "SORT_CHANNELS"
                with m.If(qe.done):
                    m.d.comb += self._initialize.start.eq(1)
                    m.d.sync += self.nonfinite.eq(qe.nonfinite)
                    m.next = "INIT"
                    with m.If(qe.nonfinite):
                        m.d.comb += self._initialize.start.eq(0)
                        m.next = "DONE"
            with m.State("SORT_CHANNELS"):
                m.d.comb += self.stage.eq(Stage.QUANTIZE)
                sort(qe.sort_count, qe.sort_count)
                with m.If(topk.done):
                    m.d.comb += qe.sort_done.eq(1)
                    m.next = "QUANTIZE"
            with m.State("INIT"):
                m.d.comb += self.stage.eq(Stage.INIT)
                pack(from_update=False)
                with m.If(self._initialize.done):
                    m.next = "PACK"
            with m.State("PACK"):
                m.d.comb += self.stage.eq(Stage.PACK)
                pack(from_update=False)
                with m.If(self._packer.idle):
                    m.d.comb += [pairing.start.eq(1), self._links.clear.eq(1)]
                    m.next = "PAIR"
            with m.State("PAIR"):
                m.d.comb += self.stage.eq(Stage.PAIR)
                m.d.comb += [mux_a.eq(2), mux_b.eq(2), mux_write.eq(2)]
                with m.If(pairing.done):
                    m.d.comb += history_write.en.eq(1)
                    m.d.sync += self.pairings.eq(self.pairings + 1)
                    m.next = "CONVERGE"
            with m.State("CONVERGE"):
                m.d.comb += [self.stage.eq(Stage.PAIR), convergence.start.eq(1)]
                m.next = "CONVERGING"
            with m.State("CONVERGING"):
                m.d.comb += self.stage.eq(Stage.PAIR)
                with m.If(convergence.done & convergence.stop):
                    m.d.comb += topk.start.eq(1)
                    sort(job.num_src, job.reduce)
                    m.next = "TOPK"
                with m.Elif(convergence.done):
                    m.d.comb += update.start.eq(1)
                    m.next = "UPDATE"
            with m.State("UPDATE"):
                m.d.comb += self.stage.eq(Stage.UPDATE)
                pack(from_update=True)
                with m.If(update.done):
                    m.next = "PACK"
                    with m.If(update.moved == 0):
                        m.d.comb += topk.start.eq(1)
                        sort(job.num_src, job.reduce)
                        m.next = "TOPK"
            with m.State("TOPK"):
                m.d.comb += self.stage.eq(Stage.TOPK)
                sort(job.num_src, job.reduce)
                with m.If(topk.done):
                    m.d.comb += self._report_dst.start.eq(1)
                    m.next = "REPORT_DST"
            with m.State("REPORT_DST"):
                m.d.comb += [self.stage.eq(Stage.TOPK), mux_write.eq(4)]
                with m.If(self._report_dst.done):
                    m.d.comb += self._report_history.start.eq(1)
                    m.next = "REPORT_HISTORY"
            with m.State("REPORT_HISTORY"):
                m.d.comb += [self.stage.eq(Stage.TOPK), mux_write.eq(5)]
                with m.If(self._report_history.done):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
