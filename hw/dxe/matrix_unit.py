"""Matrix unit: the systolic array, and who feeds it tile by tile from memory."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay, register
from hw.config import VALUE_BITS
from hw.dxe.config import DxeConfig
from hw.dxe.floats import FP32
from hw.dxe.processing_element import Load
from hw.dxe.row_banks import RowBanks, RowReads, RowWrites
from hw.dxe.systolic_array import SystolicArray


class _State(enum.Enum):
    """What becomes of the next tile's weights."""

    EMPTY = 0
    LOADING = 1
    SETTLING = 2
    READY = 3


class MatrixUnit(wiring.Component):
    """Adds products of activations and weights to sums, a tile after another.

    A tile: ``rows`` rows of activations from ``activations`` on, times the weights of R rows (where
    it enters ``down``) or C rows (their transpose) from ``weights`` on; to as many rows of sums
    from ``sums`` on, which are taken as they are (``accumulate``) or as 0. A tile may take sums
    that the one before writes, if both have the same first row: they are there in time, row by row.

    The memories lie outside, each a `RowBanks`: weights are read straight, activations with
    `SystolicArray.row_skew`, sums are read and written with `SystolicArray.column_skew`.

    Ports: ``tile`` In, stream of `tile_layout`: a tile is taken when its activations begin to be
    read, `SystolicArray.tile_cycles` after the one before where that is all that it waits for;
    ``busy`` Out: some tile waits, or its last sum is not written yet; ``told`` Out: the last sum of
    a tile that ``tells`` is written, `latency` after its last row was asked for; ``weights`` Out
    `RowReads` of max(R, C) banks, ``activations`` Out `RowReads` of R, ``sums`` Out `RowReads` and
    ``totals`` Out `RowWrites` of C.
    """

    def __init__(self, config: DxeConfig):
        self._array = array = SystolicArray(config.rows, config.columns, config.token_format)
        weights = RowReads(config.weight_banks, config.weight_rows, VALUE_BITS)
        activations = RowReads(array.rows, config.activation_rows, VALUE_BITS)
        self.tile_layout = data.StructLayout(
            {
                "weights": range(config.weight_rows),
                "down": 1,
                "activations": range(config.activation_rows),
                "rows": range(config.group_rows + 1),
                "sums": range(config.sum_rows),
                "accumulate": 1,
                "tells": 1,
            }
        )
        super().__init__(
            {
                "tile": In(stream.Signature(self.tile_layout)),
                "busy": Out(1),
                "told": Out(1),
                "weights": Out(weights),
                "activations": Out(activations),
                "sums": Out(RowReads(array.columns, config.sum_rows, FP32.bits)),
                "totals": Out(RowWrites(array.columns, config.sum_rows, FP32.bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from asking for a row of activations until all its sums are written."""
        array = self._array
        return RowBanks.latency + array.latency + array.columns * array.column_skew

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.array = self._array
        ready, starts = Signal(), Signal()
        self._load(m, ready, starts)
        self._stream(m, ready, starts)
        return m

    def _load(self, m: Module, ready: Signal, starts: Signal) -> None:
        """Move the next tile's weights in, as soon as those before are all in use."""
        array, tile = self._array, self.tile.payload
        state = Signal(_State)
        loads = Mux(tile.down, array.rows, array.columns)
        left = Signal(range(max(array.rows, array.columns)))  # Rows after this cycle's.
        last = Signal.like(left)
        wait = Signal(range(array.swap_to_load + 1))  # Until weights may move.
        m.d.comb += last.eq(loads - 1)
        with m.If(starts):
            m.d.sync += wait.eq(array.swap_to_load - 1)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        begins = (state == _State.EMPTY) & self.tile.valid & (wait == 0)
        place = Mux(state == _State.EMPTY, last, left)
        m.d.comb += [
            self.weights.read.eq(begins | (state == _State.LOADING)),
            self.weights.address.eq(tile.weights + place),
            ready.eq(state == _State.READY),
        ]
        with m.If(self.weights.read):
            m.d.sync += left.eq(place - 1)
            m.d.sync += state.eq(Mux(place == 0, _State.SETTLING, _State.LOADING))
        with m.If(state == _State.SETTLING):
            m.d.sync += state.eq(_State.READY)
        with m.If(starts):
            m.d.sync += state.eq(_State.EMPTY)
        load = Mux(tile.down, Load.DOWN, Load.RIGHT)
        m.d.sync += array.load.eq(Mux(self.weights.read, load, Load.NONE))
        m.d.comb += [
            port.eq(weight)
            for port, weight in zip(array.weight, self.weights.elements, strict=True)
        ]

    def _stream(self, m: Module, ready: Signal, starts: Signal) -> None:
        """Send a tile's activations and sums through, and write what comes."""
        array, tile = self._array, self.tile.payload
        current = Signal(self.tile_layout)
        left = Signal(current.rows.shape())
        row = Signal(
            data.StructLayout({"sums": len(tile.sums), "accumulate": 1, "valid": 1, "tells": 1})
        )
        m.d.comb += [
            starts.eq(ready & (left == 0)),
            self.tile.ready.eq(starts),
            self.activations.read.eq(starts | (left != 0)),
            self.activations.address.eq(Mux(starts, tile.activations, current.activations)),
            row.sums.eq(Mux(starts, tile.sums, current.sums)),
            row.accumulate.eq(Mux(starts, tile.accumulate, current.accumulate)),
            row.valid.eq(self.activations.read),
            row.tells.eq(Mux(starts, tile.tells & (tile.rows == 1), current.tells & (left == 1))),
        ]
        with m.If(starts):
            m.d.sync += [
                current.accumulate.eq(tile.accumulate),
                current.tells.eq(tile.tells),
                left.eq(tile.rows - 1),
            ]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += [
            current.activations.eq(self.activations.address + 1),
            current.sums.eq(row.sums + 1),
        ]
        swap: Value = register(m, starts, "swap_0")
        for r, (port, element) in enumerate(
            zip(array.activation, self.activations.elements, strict=True)
        ):
            swap = delay(m, swap, array.row_skew, f"swap_{r}") if r else swap
            m.d.comb += [port.eq(element), array.swap[r].eq(swap)]

        asked = delay(m, row, array.lead, "asked")
        m.d.comb += [self.sums.read.eq(asked.valid), self.sums.address.eq(asked.sums)]
        taken: Value = asked.accumulate
        for c, (port, element) in enumerate(zip(array.addend, self.sums.elements, strict=True)):
            taken = delay(m, taken, array.column_skew if c else RowBanks.latency, f"taken_{c}")
            m.d.comb += port.eq(Mux(taken, element, 0))
        come = delay(m, asked, RowBanks.latency + array.latency - array.lead, "come")
        m.d.comb += [
            self.totals.write.eq(come.valid),
            self.totals.address.eq(come.sums),
            *(out.eq(total) for out, total in zip(self.totals.values, array.total, strict=True)),
        ]
        written = delay(m, come, array.columns * array.column_skew, "written")
        m.d.comb += self.told.eq(written.tells)
        under_way = Signal(range(self.latency + 2))
        m.d.sync += under_way.eq(under_way + row.valid - written.valid)
        m.d.comb += self.busy.eq(self.tile.valid | (under_way != 0))
