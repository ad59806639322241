"""Dst update: each slot's new dst is its group's exact medoid.

Source: docs/definition.md, 'Dst update'.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.stream_fork import StreamFork
from hw.blocks.stream_queue import StreamQueue
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient
from hw.config import EngineConfig
from hw.job import Job, row_address
from hw.refine.links import group_lookup, next_lookup
from hw.refine.nearest_member import NearestMember
from hw.words import assignment, dst_lookup, weight_lookup

_GROUPS_UNDER_WAY = 4
_ROWS_IN_FLIGHT = 32


class Update(wiring.Component):
    """Walks the group of every slot through its links, twice: sums, then scores.

    A group of one or two members keeps its dst: both members of a pair are equally far from
    their mean. So only larger groups are read.

    Ports:
        ``run`` In `Handshake`: after start ``job`` In stays as it is, and done comes when all
            winners have been handed on; ``moved`` Out: slots whose dst changed, since start.
        ``dst`` Out `dst_lookup`; ``group`` Out `group_lookup` and ``next`` Out `next_lookup` of the
            links; ``weight`` Out `weight_lookup`.
        ``read`` Out `ReadClient` of the quantised rows.
        ``assign`` Out stream of `assignment`: the slots that moved, in slot order.

    Cycles: 2 a slot, and for a group of n >= 3 members 2 n chunks, where memory keeps up; a row
    is requested every second cycle, up to 32 ahead. Up to 4 groups wait for ``assign``.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "moved": Out(config.count_bits),
                "dst": Out(dst_lookup(config)),
                "group": Out(group_lookup(config)),
                "next": Out(next_lookup(config)),
                "weight": Out(weight_lookup(config)),
                "read": Out(ReadClient(config)),
                "assign": Out(stream.Signature(assignment(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        member = data.StructLayout(
            {
                "slot": config.slot_bits,
                "token": config.token_bits,
                "count": config.count_bits,
                "is_dst": 1,
                "scoring": 1,
                "last": 1,
            }
        )
        m.submodules.members = members = StreamQueue(member, _ROWS_IN_FLIGHT)
        m.submodules.nearest_member = nearest = NearestMember(config)
        m.submodules.winners = winners = StreamQueue(
            nearest.winner.payload.shape(), _GROUPS_UNDER_WAY
        )
        under_way = Signal(range(_GROUPS_UNDER_WAY + 1))
        opened = Signal()
        walked = Signal(init=1)
        self._walk(m, members.i, under_way, opened, walked)
        self._feed(m, members.o, nearest)
        wiring.connect(m, nearest.weight, wiring.flipped(self.weight))
        m.d.comb += [
            winners.i.payload.eq(nearest.winner.payload),
            winners.i.valid.eq(nearest.winner.valid),
        ]
        closed = self._assign(m, winners.o)
        m.d.sync += under_way.eq(under_way + opened - closed)

        finished = Signal(init=1)
        with m.If(self.run.start):
            m.d.sync += [finished.eq(0), self.moved.eq(0)]
        with m.Elif(~finished & walked & (under_way == 0)):
            m.d.comb += self.run.done.eq(1)
            m.d.sync += finished.eq(1)
        return m

    def _walk(
        self,
        m: Module,
        members: stream.Interface,
        under_way: Signal,
        opened: Signal,
        walked: Signal,
    ) -> None:
        """Request the rows of each group of three or more, dst first, then its links, twice."""
        config = self._config
        slot = Signal(config.count_bits)
        count = Signal(config.count_bits)
        left = Signal(config.count_bits)
        dst = Signal(config.token_bits)
        # A member's row is requested, and what is known of it queued, in whichever order.
        m.submodules.member_fork = fork = StreamFork(members.payload.shape(), 2)
        row_wanted, known = fork.o
        member = fork.i.payload
        request, group = self.read.request, self.group.entry
        token = Signal(config.token_bits)
        is_dst = Signal()
        scoring = Signal()
        job, wanted = self.job, row_wanted.payload.token
        wiring.connect(m, known, members)
        m.d.comb += [
            self.dst.index.eq(slot),
            self.group.index.eq(slot),
            self.next.index.eq(token),
            member.slot.eq(slot),
            member.token.eq(token),
            member.count.eq(count + 1),
            member.is_dst.eq(is_dst),
            member.scoring.eq(scoring),
            member.last.eq(left == 0),
            request.payload.address.eq(
                row_address(config, job.quantized_address, job.row_beats, wanted)
            ),
            request.payload.beats.eq(job.row_beats),
            request.valid.eq(row_wanted.valid),
            row_wanted.ready.eq(request.ready),
        ]

        def next_slot() -> None:
            m.d.sync += slot.eq(slot + 1)
            m.next = "LOOK"
            with m.If(slot == self.job.num_dst - 1):
                m.d.sync += walked.eq(1)
                m.next = "IDLE"

        with m.FSM(name="walk"):
            with m.State("IDLE"), m.If(self.run.start):
                m.d.sync += [slot.eq(0), walked.eq(0)]
                m.next = "LOOK"
            with m.State("LOOK"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.sync += [count.eq(group.count), dst.eq(self.dst.entry), scoring.eq(0)]
                with m.If(group.count < 2):
                    next_slot()
                with m.Elif(under_way != _GROUPS_UNDER_WAY):
                    m.d.comb += opened.eq(1)
                    m.next = "OPEN"
            with m.State("OPEN"):
                m.d.sync += [token.eq(dst), is_dst.eq(1), left.eq(count)]
                m.next = "MEMBER"
            with m.State("MEMBER"):
                m.d.comb += fork.i.valid.eq(1)
                with m.If(fork.i.ready):
                    m.next = "FOLLOW"
            with m.State("FOLLOW"):
                # The link of the member has been looked up while it was requested.
                m.d.sync += [token.eq(self.next.entry), is_dst.eq(0), left.eq(left - 1)]
                m.next = "MEMBER"
                with m.If(is_dst):
                    m.d.sync += token.eq(group.head)
                with m.If(left == 0):
                    m.d.sync += scoring.eq(1)
                    m.next = "OPEN"
                    with m.If(scoring):
                        next_slot()

    def _feed(self, m: Module, members: stream.Interface, nearest: NearestMember) -> None:
        """Join each row's chunks with what the walk said of the row."""
        config = self._config
        m.submodules.unpacker = unpacker = Unpacker(
            config.bus_bits, config.chunk_bits, config.max_chunks
        )
        wiring.connect(m, wiring.flipped(self.read.beat), unpacker.beat)
        word, member = unpacker.word, members.payload
        chunk = nearest.chunk.payload
        take = word.valid & members.valid
        m.d.comb += [
            unpacker.words.eq(self.job.chunks),
            word.ready.eq(members.valid),
            members.ready.eq(take & word.payload.last),
            nearest.chunk.valid.eq(take),
            chunk.q.eq(word.payload.data),
            chunk.index.eq(word.payload.index),
            chunk.first.eq(word.payload.first),
            chunk.last.eq(word.payload.last),
            chunk.count.eq(member.count),
            chunk.slot.eq(member.slot),
            chunk.token.eq(member.token),
            chunk.is_dst.eq(member.is_dst),
            chunk.scoring.eq(member.scoring),
            chunk.first_member.eq(member.is_dst),
            chunk.last_member.eq(member.last),
        ]

    def _assign(self, m: Module, winners: stream.Interface) -> Signal:
        """Hand on the winners that are not their slot's dst already; 1 as each one leaves."""
        winner, assign = winners.payload, self.assign.payload
        moves = winner.token != winner.old
        closed = Signal()
        m.d.comb += [
            assign.slot.eq(winner.slot),
            assign.token.eq(winner.token),
            assign.old.eq(winner.old),
            assign.replaces.eq(1),
            self.assign.valid.eq(winners.valid & moves),
            winners.ready.eq(~moves | self.assign.ready),
            closed.eq(winners.valid & winners.ready),
        ]
        with m.If(closed & moves):
            m.d.sync += self.moved.eq(self.moved + 1)
        return closed
