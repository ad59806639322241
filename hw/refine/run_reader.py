"""Run reader: the groups that have changed, and their members, from the sorted member records."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.stream_queue import StreamQueue
from hw.bus.client import ReadClient
from hw.config import EngineConfig
from hw.job import Job
from hw.refine.record_reader import BLOCK_BEATS, RecordReader

RING_TOKENS = 128
_GROUPS_WAITING = 2


def changed_group(config: EngineConfig) -> data.StructLayout:
    """A group that is not what it was at the last update.

    Members: ``slot``; its dst ``token``; ``count`` of src; ``recounted``: that is another than at
    the last update; ``small``: less than 2, so that the dst stays.
    """
    return data.StructLayout(
        {
            "slot": config.slot_bits,
            "token": config.token_bits,
            "count": config.count_bits,
            "recounted": 1,
            "small": 1,
        }
    )


def group_member(config: EngineConfig) -> data.StructLayout:
    """A member of a changed group.

    Members: ``token``; ``count`` of members; ``is_dst``, which comes first; ``scoring``, in the
    second round over the group; ``last`` of the round.
    """
    return data.StructLayout(
        {
            "token": config.token_bits,
            "count": config.count_bits,
            "is_dst": 1,
            "scoring": 1,
            "last": 1,
        }
    )


class RunReader(wiring.Component):
    """Finds the groups that have changed, and offers the members of each twice.

    A run of records, the dst and then its src, is a group (`hw.words.member_record`). It has
    changed where a src has joined or the count of src is another than before; of a small group only
    the count matters.

    A group's count must be known before its members are offered. So the tokens of the run that is
    scanned are kept in a ring, behind those of the groups that wait for their turn. A run that does
    not fit the ring even alone is only counted; if it has changed, its records are read again, once
    for each round, and scanning goes on behind it.

    Ports:
        ``start`` In pulse, while not ``busy`` Out; ``job`` In, constant from the cycle before it,
        gives place and number of the records. ``read`` Out `ReadClient` of them.
        ``group`` Out stream of `changed_group`, in slot order; then, unless the group is small,
        ``member`` Out stream of `group_member`: its dst and its src, twice.

    Cycles: `scan_cycles` to scan the runs, while at most 2 groups wait and the ring has room; a
    member every second cycle, `member_cycles`, or every cycle of a run that is read again.
    """

    member_cycles = 2

    def __init__(self, config: EngineConfig, ring: int = RING_TOKENS, block: int = BLOCK_BEATS):
        self._config = config
        self._ring_bits = exact_log2(ring)
        self._block = block
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "job": In(Job(config)),
                "read": Out(ReadClient(config)),
                "group": Out(stream.Signature(changed_group(config))),
                "member": Out(stream.Signature(group_member(config))),
            }
        )

    @staticmethod
    def scan_cycles(records: int, runs: int) -> int:
        """Cycles of the records of so many runs: one each, and one a run."""
        return records + runs

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.records = records = RecordReader(config, self._block)
        ring = 1 << self._ring_bits
        m.submodules.tokens = tokens = Memory(shape=config.token_bits, depth=ring, init=[])
        waits = data.StructLayout({"group": changed_group(config), "again": 1})
        m.submodules.waiting = waiting = StreamQueue(waits, _GROUPS_WAITING)
        wiring.connect(m, records.read, wiring.flipped(self.read))
        run_index = Signal(config.count_bits)
        m.d.comb += [
            records.address.eq(self.job.records_address),
            records.records.eq(self.job.tokens),
            records.first.eq(run_index),
        ]
        base = Signal(self._ring_bits + 1)
        resumed = self._replay(m, records, waiting.o, tokens.read_port(), base)
        scanning = self._scan(m, records, waiting.i, tokens.write_port(), base, run_index, resumed)

        opened, closed = waiting.i.valid & waiting.i.ready, waiting.o.valid & waiting.o.ready
        open_groups = Signal(range(_GROUPS_WAITING + 1))
        m.d.sync += open_groups.eq(open_groups + opened - closed)
        m.d.comb += self.busy.eq(scanning | (open_groups != 0))
        return m

    def _scan(
        self,
        m: Module,
        records: RecordReader,
        waiting: stream.Interface,
        write: WritePort,
        base: Signal,
        run_index: Signal,
        resumed: Signal,
    ) -> Value:
        """Take runs apart, and keep the tokens of groups that have changed; 1 while under way.

        Of the ring, places from ``base`` on are taken: by waiting groups, then by the run.
        """
        record, group = records.record.payload, waiting.payload.group
        begun = Signal()  # Of a run some record was taken.
        joined = Signal()
        before = Signal(self._config.count_bits)
        first, end = Signal.like(base), Signal.like(base)
        full = (end ^ base) == 1 << self._ring_bits
        unfit = waiting.payload.again
        m.d.comb += [
            group.small.eq(~group.count[1:].any()),
            group.recounted.eq(group.count != before),
            write.addr.eq(end[: self._ring_bits]),
            write.data.eq(record.token),
        ]
        changed = group.recounted | (joined & ~group.small)
        kept = changed & ~group.small & ~unfit
        with m.FSM(name="scan") as scan:
            with m.State("IDLE"), m.If(self.start):
                m.d.comb += [records.seek.eq(1), records.first.eq(0)]
                m.next = "SCAN"
            with m.State("SCAN"):
                with m.If(begun & (records.ended | (records.record.valid & ~record.is_src))):
                    m.d.comb += waiting.valid.eq(changed)
                    with m.If(~changed | waiting.ready):
                        m.d.sync += begun.eq(0)
                        with m.If(kept):
                            m.d.sync += first.eq(end)
                        with m.Else():
                            m.d.sync += end.eq(first)
                        with m.If(changed & unfit):
                            m.next = "WAIT"
                with m.Elif(records.ended):
                    m.next = "IDLE"
                # Full of a run alone the ring stays full, and what else comes of it is counted.
                with m.Elif(records.record.valid & (~full | (first == base))):
                    m.d.comb += [records.record.ready.eq(1), write.en.eq(~full)]
                    m.d.sync += [end.eq(end + ~full), unfit.eq(full)]
                    with m.If(record.is_src):
                        m.d.sync += [
                            group.count.eq(group.count + 1),
                            joined.eq(joined | record.joined),
                        ]
                    with m.Else():
                        m.d.sync += [
                            begun.eq(1),
                            group.slot.eq(record.slot),
                            group.token.eq(record.token),
                            group.count.eq(0),
                            before.eq(record.count),
                            joined.eq(0),
                            run_index.eq(records.index),
                        ]
            with m.State("WAIT"), m.If(resumed):
                m.next = "SCAN"
        return ~scan.ongoing("IDLE")

    def _replay(
        self,
        m: Module,
        records: RecordReader,
        waiting: stream.Interface,
        read: ReadPort,
        base: Signal,
    ) -> Signal:
        """Offer the groups that wait, and their members; 1 when scanning may go on behind one."""
        group, again = waiting.payload.group, waiting.payload.again
        member = self.member.payload
        resumed = Signal()
        at = Signal.like(base)
        place = Signal.like(group.count)
        scoring = Signal()
        m.d.comb += [
            self.group.payload.eq(group),
            read.addr.eq(at[: self._ring_bits]),
            member.token.eq(Mux(again, records.record.payload.token, read.data)),
            member.count.eq(group.count + 1),
            member.is_dst.eq(place == 0),
            member.scoring.eq(scoring),
            member.last.eq(place == group.count),
        ]

        def next_round() -> None:
            m.d.sync += [place.eq(0), at.eq(base)]
            m.next = "LOOK"
            with m.If(again):
                m.next = "SEEK"

        with m.FSM(name="replay"):
            with m.State("GROUP"):
                m.d.comb += self.group.valid.eq(waiting.valid)
                with m.If(waiting.valid & self.group.ready):
                    m.d.sync += scoring.eq(0)
                    with m.If(group.small):
                        m.d.comb += waiting.ready.eq(1)
                    with m.Else():
                        next_round()
            with m.State("SEEK"):
                m.d.comb += records.seek.eq(1)
                m.next = "MEMBER"
            with m.State("LOOK"):
                m.next = "MEMBER"
            with m.State("MEMBER"):
                m.d.comb += self.member.valid.eq(~again | records.record.valid)
                with m.If(self.member.valid & self.member.ready):
                    with m.If(again):
                        m.d.comb += records.record.ready.eq(1)
                    m.d.sync += [place.eq(place + 1), at.eq(at + 1)]
                    with m.If(~again):
                        m.next = "LOOK"
                    with m.If(member.last):
                        m.d.sync += scoring.eq(1)
                        next_round()
                        with m.If(scoring):
                            m.d.comb += [waiting.ready.eq(1), resumed.eq(again)]
                            m.next = "GROUP"
                            with m.If(~again):
                                m.d.sync += base.eq(at + 1)
        return resumed
