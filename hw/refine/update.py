"""Dst update: each slot's new dst is its group's exact medoid.

Source: docs/definition.md, 'Dst update'.
"""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.stream_fork import StreamFork
from hw.blocks.stream_queue import StreamQueue
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient, WriteClient
from hw.bus.word_writer import WordWriter
from hw.config import DST_WORD_BITS, ENTRY_BITS, LEVEL_BITS, EngineConfig
from hw.job import Job, row_address
from hw.refine.nearest_member import NearestMember, words_per_chunk
from hw.refine.run_reader import RING_TOKENS, RunReader, changed_group, group_member
from hw.scratchpad import ScratchPort
from hw.words import dst_word, entry, weight_lookup

_GROUPS_UNDER_WAY = 4
_ROWS_IN_FLIGHT = 16


class Update(wiring.Component):
    """Moves each slot to its group's medoid, where the group has changed since the last update.

    The rows of a changed group are read twice, for its sums and for its members' scores. A group of
    one or two members keeps its dst: both members of a pair are equally far from their mean.

    What is written, in slot order: where the dst stays, its entry with the group's new count of
    src, if that is another; where it moves, that entry for the new dst, the one of the old dst as a
    src that needs every slot, the slot's word in DST, and the same word behind those that MOVED
    has by then.

    Ports:
        ``run`` In `Handshake`: after start ``job`` In stays as it is, as from the cycle before, and
            done comes when all that is written is in memory; ``moved`` Out: the words in MOVED,
            slots whose dst moved since start.
        ``weight`` Out `weight_lookup`; ``scratch`` Out `ScratchPort`.
        ``read_records`` Out `ReadClient` of the RECORDS region, N sorted member records, and
            ``read_rows`` Out `ReadClient` of the quantised rows.
        ``write`` Out `WriteClient` of ENTRIES, DST and MOVED.

    Cycles: `RunReader.scan_cycles` for the records, and meanwhile `group_cycles` of each changed
    group of 3 members or more, where memory keeps up. Rows are requested up to 16 ahead, and up to
    4 groups are under way at once.
    """

    def __init__(self, config: EngineConfig, ring: int = RING_TOKENS):
        self._config = config
        self._ring = ring
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "moved": Out(config.count_bits),
                "weight": Out(weight_lookup(config)),
                "scratch": Out(ScratchPort(config)),
                "read_records": Out(ReadClient(config)),
                "read_rows": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    @staticmethod
    def group_cycles(config: EngineConfig, members: int, chunks: int) -> int:
        """Cycles of a group's two rounds: a word of U channels each."""
        return 2 * members * chunks * words_per_chunk(config)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.runs = runs = RunReader(config, self._ring)
        m.submodules.members = members = StreamQueue(group_member(config), _ROWS_IN_FLIGHT)
        m.submodules.groups = groups = StreamQueue(changed_group(config), _GROUPS_UNDER_WAY)
        m.submodules.nearest_member = nearest = NearestMember(config)
        winner = nearest.winner.payload.shape()
        # Room for a winner of each group that was opened.
        m.submodules.winners = winners = StreamQueue(winner, _GROUPS_UNDER_WAY)
        m.submodules.member_fork = fork = StreamFork(group_member(config), 2)
        wiring.connect(m, wiring.flipped(self.read_records), runs.read)
        wiring.connect(m, runs.member, fork.i)
        wiring.connect(m, fork.o[1], members.i)
        wiring.connect(m, runs.group, groups.i)
        wiring.connect(m, nearest.weight, wiring.flipped(self.weight))
        wiring.connect(m, nearest.scratch, wiring.flipped(self.scratch))
        m.d.comb += [
            runs.job.eq(self.job),
            runs.start.eq(self.run.start),
            winners.i.payload.eq(nearest.winner.payload),
            winners.i.valid.eq(nearest.winner.valid),
        ]
        self._request_rows(m, fork.o[0])
        self._feed(m, members.o, nearest)
        writing = self._write(m, groups.o, winners.o)

        opened, closed = groups.i.valid & groups.i.ready, groups.o.valid & groups.o.ready
        under_way = Signal(range(_GROUPS_UNDER_WAY + 1))
        running = Signal()
        m.d.sync += under_way.eq(under_way + opened - closed)
        with m.If(self.run.start):
            m.d.sync += running.eq(1)
        with m.Elif(running & ~runs.busy & (under_way == 0) & ~writing & self.write.idle):
            m.d.comb += self.run.done.eq(1)
            m.d.sync += running.eq(0)
        return m

    def _request_rows(self, m: Module, members: stream.Interface) -> None:
        """Request each member's row: taken in one cycle, multiplied in the next, and then added."""
        config, job, request = self._config, self.job, self.read_rows.request
        token = Signal(config.token_bits)
        beat = Signal(config.token_bits + len(job.row_beats))
        taken, multiplied = Signal(), Signal()
        free = ~request.valid | request.ready
        m.d.comb += members.ready.eq(~taken)
        with m.If(free):
            m.d.sync += [
                request.valid.eq(multiplied),
                request.payload.address.eq(
                    row_address(config, job.quantized_address, Const(1), beat)
                ),
                request.payload.beats.eq(job.row_beats),
            ]
        with m.If(~multiplied | free):
            m.d.sync += [multiplied.eq(taken), beat.eq(token * job.row_beats), taken.eq(0)]
        with m.If(~taken):
            m.d.sync += [token.eq(members.payload.token), taken.eq(members.valid)]

    def _feed(self, m: Module, members: stream.Interface, nearest: NearestMember) -> None:
        """Join each row's words with what is known of its member."""
        config = self._config
        per_chunk = words_per_chunk(config)
        m.submodules.unpacker = unpacker = Unpacker(
            config.bus_bits, config.update_lanes * LEVEL_BITS, config.max_chunks * per_chunk
        )
        wiring.connect(m, wiring.flipped(self.read_rows.beat), unpacker.beat)
        part, member, word = unpacker.word, members.payload, nearest.word.payload
        takes = part.valid & members.valid
        m.d.comb += [
            unpacker.words.eq(self.job.chunks << exact_log2(per_chunk)),
            part.ready.eq(members.valid),
            members.ready.eq(takes & part.payload.last),
            nearest.word.valid.eq(takes),
            word.q.eq(part.payload.data),
            word.index.eq(part.payload.index),
            word.first.eq(part.payload.first),
            word.last.eq(part.payload.last),
            word.count.eq(member.count),
            word.token.eq(member.token),
            word.is_dst.eq(member.is_dst),
            word.scoring.eq(member.scoring),
            word.last_member.eq(member.last),
        ]

    def _write(self, m: Module, groups: stream.Interface, winners: stream.Interface) -> Signal:
        """Write what each group comes to, a word a cycle; 1 while a word is on its way there."""
        config, job = self._config, self.job
        group, winner = groups.payload, winners.payload
        m.submodules.writer = writer = WordWriter(config)
        wiring.connect(m, writer.write, wiring.flipped(self.write))
        word = writer.word
        step = Signal(2)
        decided = groups.valid & (group.small | winners.valid)
        moves = ~group.small & ~winner.is_dst
        writes = decided & (moves | group.recounted)
        free = ~word.valid | word.ready
        ends = ~moves | (step == 3)
        dst = Signal(entry())
        src = Signal(entry())
        place = Signal(dst_word())
        m.d.comb += [
            dst.is_dst.eq(1),
            dst.slot.eq(group.slot),
            dst.count.eq(group.count),
            src.full.eq(1),
            src.slot.eq(group.slot),
            place.token.eq(winner.token),
            place.slot.eq(group.slot),
            groups.ready.eq(decided & (~writes | (free & ends))),
            winners.ready.eq(groups.ready & ~group.small),
        ]
        entry_shift, dst_shift = exact_log2(ENTRY_BITS // 8), exact_log2(DST_WORD_BITS // 8)
        holder = Mux(moves, winner.token, group.token)
        written = (
            (job.entries_address, holder << entry_shift, dst),
            (job.entries_address, group.token << entry_shift, src),
            (job.dst_address, group.slot << dst_shift, place),
            (job.moved_address, self.moved << dst_shift, place),
        )
        with m.If(free):
            m.d.sync += [word.valid.eq(writes), word.payload.half.eq(step[1])]
            with m.Switch(step):
                for number, (region, offset, content) in enumerate(written):
                    with m.Case(number):
                        m.d.sync += [
                            word.payload.address.eq(region + offset),
                            word.payload.data.eq(content),
                        ]
            with m.If(writes):
                m.d.sync += [step.eq(step + moves), self.moved.eq(self.moved + (step == 3))]
        with m.If(self.run.start):
            m.d.sync += self.moved.eq(0)
        return word.valid
