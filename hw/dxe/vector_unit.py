"""Vector unit: lanes that pass over rows of sums, or over what is kept of each row."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay, register
from hw.dxe.config import DxeConfig
from hw.dxe.floats import FP32
from hw.dxe.row_banks import RowReads, RowWrites
from hw.dxe.row_reduce import RowReduce
from hw.dxe.row_scalars import RowScalars
from hw.dxe.vector_lane import OPERATION, VectorLane

_ONE, _MINUS_ZERO = 0x3F80_0000, 0x8000_0000
_MINUS_INFINITY = FP32.infinity | 1 << FP32.bits - 1


class Operand(enum.Enum, shape=3):  # type: ignore[call-arg]
    """What a lane multiplies by, or adds.

    Nothing (1, or -0), the constant, its row's scalar as it is or negated, x itself, its value in
    another row.
    """

    NONE = 0
    CONSTANT = 1
    SCALAR = 2
    NEGATED = 3
    SAME = 4
    OTHER = 5


class Reduce(enum.Enum, shape=2):  # type: ignore[call-arg]
    """What is kept of a row's values."""

    NONE = 0
    SUM = 1
    MAX = 2


class VectorUnit(wiring.Component):
    """f(x a + b), or f of the larger of x a and b, of row after row, or of rows' scalars.

    A pass over rows takes x from ``rows`` rows of sums, from the address ``x`` on; a and b are
    nothing, ``constant``, the row's scalar in ``a_register`` or ``b_register``, as it is or
    negated, x, or the lane's value in other rows, from ``other`` on. Values go to rows of sums or
    of 16-bit floats from ``to`` on, and their sum or largest to the register ``result``. Lanes from
    ``columns`` on give 0, and -inf to a maximum.

    A pass over ``scalars`` takes as x the words of the register ``x``, which hold the first
    ``rows`` rows; one of a and b may be another register's, which ``b_register`` names, and it is
    each row's own. Values go to the register ``result``. All lanes count.

    A pass whose ``waits`` is 1 begins when nothing of those before is under way; any other right
    behind them. So must a pass over scalars behind one that reduces, and whatever takes what those
    before make.

    Ports: ``work`` In, stream of `pass_layout`, taken as its last row begins; ``busy`` Out;
    ``told`` Out: all of a pass that ``tells`` is written, `told_latency` after it was taken;
    ``sums`` Out and ``others`` Out `RowReads`, ``values`` Out and ``shorts`` Out `RowWrites`,
    straight. A row, or a word of scalars, a cycle; sums are written `latency` cycles after they are
    read.
    """

    def __init__(self, config: DxeConfig):
        lanes, form = config.columns, config.form
        self._rows = config.group_rows
        self._lanes = [VectorLane(form) for _ in range(lanes)]
        self._reduce = RowReduce(lanes)
        self._scalars = RowScalars(lanes, config.group_rows, config.registers)
        address, number = range(config.sum_rows), range(config.registers)
        self.pass_layout = data.StructLayout(
            {
                "waits": 1,
                "scalars": 1,
                "rows": range(config.group_rows + 1),
                "columns": range(lanes + 1),
                "x": address,
                "a": Operand,
                "b": Operand,
                "other": address,
                "constant": FP32.bits,
                "a_register": number,
                "b_register": number,
                "operation": OPERATION,
                "reduce": Reduce,
                "result": number,
                "to_sums": 1,
                "to_shorts": 1,
                "to": range(max(config.sum_rows, config.activation_rows)),
                "tells": 1,
            }
        )
        super().__init__(
            {
                "work": In(stream.Signature(self.pass_layout)),
                "busy": Out(1),
                "told": Out(1),
                "sums": Out(RowReads(lanes, config.sum_rows, FP32.bits)),
                "others": Out(RowReads(lanes, config.sum_rows, FP32.bits)),
                "values": Out(RowWrites(lanes, config.sum_rows, FP32.bits)),
                "shorts": Out(RowWrites(lanes, config.activation_rows, form.bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from asking for a row of sums to writing it."""
        return RowScalars.latency + 1 + self._lanes[0].latency

    @property
    def told_latency(self) -> int:
        """Cycles from asking for a row until all that is made of it is written."""
        lane = self._lanes[0]
        return 1 + self.latency + max(self._reduce.latency, lane.short_latency - lane.latency)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.scalars = self._scalars
        m.submodules.reduce = self._reduce
        lanes = len(self._lanes)
        work = self.work.payload
        row = Signal(range(self._rows + lanes))
        under_way = Signal(range(self.told_latency + 2))
        issues, last = Signal(), Signal()
        step = Mux(work.scalars, lanes, 1)
        m.d.comb += [
            issues.eq(self.work.valid & ~(work.waits & (row == 0) & (under_way != 0))),
            last.eq(row + step >= work.rows),
            self.work.ready.eq(issues & last),
            self.busy.eq(self.work.valid | (under_way != 0)),
        ]
        with m.If(issues):
            m.d.sync += row.eq(Mux(last, 0, row + step))
        ended = delay(m, issues, self.told_latency, "ended")
        m.d.sync += under_way.eq(under_way + issues - ended)
        m.d.comb += self.told.eq(delay(m, issues & last & work.tells, self.told_latency, "told"))

        self._read(m, work, row, issues)
        begun = Signal(data.StructLayout({"of": self.pass_layout, "row": len(row), "valid": 1}))
        m.d.comb += [begun.of.eq(work), begun.row.eq(row), begun.valid.eq(issues)]
        self._calculate(m, delay(m, begun, RowScalars.latency, "begun"))
        return m

    def _read(self, m: Module, work: data.View, row: Signal, issues: Signal) -> None:
        """Ask for what a row, or a word of scalars, is made of."""
        first, second = self._scalars.reads
        m.d.comb += [
            self.sums.read.eq(issues & ~work.scalars),
            self.sums.address.eq(work.x + row),
            self.others.read.eq(issues & ((work.a == Operand.OTHER) | (work.b == Operand.OTHER))),
            self.others.address.eq(work.other + row),
            first.read.eq(issues),
            first.register.eq(Mux(work.scalars, work.x, work.a_register)),
            first.row.eq(row),
            second.read.eq(issues),
            second.register.eq(work.b_register),
            second.row.eq(row),
        ]

    def _calculate(self, m: Module, at: Value) -> None:
        """From what memories give of a row, as the pass ``at`` that cycle wants it, to results."""
        first, second = self._scalars.reads
        work = at.of
        scalar_a = register(m, first.scalar, "scalar_a")
        scalar_b = register(m, second.scalar, "scalar_b")
        now = register(m, at, "now")
        for number, lane in enumerate(self._lanes):
            m.submodules[f"lane_{number}"] = lane
            given = Mux(work.scalars, first.word[number], self.sums.elements[number])
            x = register(m, given, f"x_{number}")
            own = register(m, second.word[number], f"own_{number}")
            other = register(m, self.others.elements[number], f"other_{number}")
            m.d.comb += [lane.operation.eq(now.of.operation), lane.x.eq(x)]
            for port, kind, of_row, nothing in (
                (lane.a, now.of.a, scalar_a, _ONE),
                (lane.b, now.of.b, scalar_b, _MINUS_ZERO),
            ):
                scalar = Mux(now.of.scalars, own, of_row)
                with m.Switch(kind):
                    with m.Case(Operand.CONSTANT):
                        m.d.comb += port.eq(now.of.constant)
                    with m.Case(Operand.SCALAR):
                        m.d.comb += port.eq(scalar)
                    with m.Case(Operand.NEGATED):
                        m.d.comb += port.eq(Cat(scalar[:-1], ~scalar[-1]))
                    with m.Case(Operand.SAME):
                        m.d.comb += port.eq(x)
                    with m.Case(Operand.OTHER):
                        m.d.comb += port.eq(other)
                    with m.Default():
                        m.d.comb += port.eq(nothing)
        self._write(m, now)

    def _write(self, m: Module, now: Value) -> None:
        """Put results where the pass wants them."""
        lane, scalars = self._lanes[0], self._scalars
        done = delay(m, now, lane.latency, "done")
        short = delay(m, done, lane.short_latency - lane.latency, "short")
        reduced = delay(m, done, self._reduce.latency, "reduced")
        largest = done.of.reduce == Reduce.MAX
        m.d.comb += [
            self.values.write.eq(done.valid & done.of.to_sums),
            self.values.address.eq(done.of.to + done.row),
            self.shorts.write.eq(short.valid & short.of.to_shorts),
            self.shorts.address.eq(short.of.to + short.row),
            self._reduce.take_max.eq(largest),
        ]
        for number, each in enumerate(self._lanes):
            counts = number < done.of.columns
            m.d.comb += [
                self.values.values[number].eq(Mux(counts, each.value, 0)),
                self.shorts.values[number].eq(Mux(number < short.of.columns, each.short, 0)),
                self._reduce.values[number].eq(
                    Mux(counts, each.value, Mux(largest, C(_MINUS_INFINITY, FP32.bits), 0))
                ),
            ]
        # Scalars come from a pass over them, or from rows: never both, as passes wait.
        with m.If(done.valid & done.of.scalars):
            m.d.comb += [
                scalars.write.eq(1),
                scalars.register.eq(done.of.result),
                scalars.row.eq(done.row),
                scalars.mask.eq(-1),
                *(scalars.values[number].eq(each.value) for number, each in enumerate(self._lanes)),
            ]
        with m.Else():
            lane_of_row = reduced.row[: (len(self._lanes) - 1).bit_length()]
            m.d.comb += [
                scalars.write.eq(
                    reduced.valid & ~reduced.of.scalars & (reduced.of.reduce != Reduce.NONE)
                ),
                scalars.register.eq(reduced.of.result),
                scalars.row.eq(reduced.row),
                scalars.mask.eq(1 << lane_of_row),
                scalars.values.eq(self._reduce.result.replicate(len(self._lanes))),
            ]
