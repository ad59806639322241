"""Systolic array: rows of activations times a tile of weights, in float32."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import VALUE_BITS
from hw.dxe.floats import FORMATS, FP32, Unpack
from hw.dxe.processing_element import Load, ProcessingElement


class SystolicArray(wiring.Component):
    """``total[c] = (addend[c] + a[0] w[0][c]) + a[1] w[1][c] + ...`` for each row a that enters.

    R rows by C columns of processing elements, each of which holds a weight: sums move down, in the
    order of r, and activations move right. What belongs to one row of activations therefore enters
    and leaves at slanted times, which the memories on either side level out: they hold each row and
    each column in a bank of its own, and ask a bank later than the one before. Counted from the
    cycle in which ``activation[0]`` is there:

    * ``activation[r]`` and ``swap[r]`` are taken on cycle r * `row_skew`,
    * ``addend[c]`` on cycle `lead` + c * `column_skew`,
    * ``total[c]`` is there on cycle `latency` + c * `column_skew`.

    Rows follow each other a cycle apart or more, and nothing can be held up.

    Weights enter while the array works: in each cycle in which ``load`` is not NONE, the weights
    that wait move a place down (``weight[c]`` enters column c) or right (``weight[r]`` enters row
    r), so R or C of them, last first, make a tile. ``swap`` with a row of activations puts the tile
    that waits to use, from that row on: its loads end `load_to_swap` before ``swap[0]``, and those
    of the next begin `swap_to_load` after it. So a tile for 4 (R - 1) + C - 1 + R rows or more
    keeps every element busy in every cycle, and one for fewer takes as long (`tile_cycles`).

    Ports: ``activation`` In, R values of 16 bits; ``swap`` In, R bits; ``load`` In; ``weight`` In,
    max(R, C) values; ``addend`` In, C float32; ``total`` Out, C float32.

    Args:
        rows, columns: its size, from 1.
        token_format: of activations and weights, ``fp16`` or ``bf16``.
    """

    column_skew = 1
    row_skew = ProcessingElement.latency

    def __init__(self, rows: int, columns: int, token_format: str):
        self.rows = rows
        self.columns = columns
        self._form = FORMATS[token_format]
        self._elements = [
            [ProcessingElement(self._form) for _ in range(columns)] for _ in range(rows)
        ]
        super().__init__(
            {
                "activation": In(VALUE_BITS).array(rows),
                "swap": In(1).array(rows),
                "load": In(Load),
                "weight": In(VALUE_BITS).array(max(rows, columns)),
                "addend": In(FP32.bits).array(columns),
                "total": Out(FP32.bits).array(columns),
            }
        )

    @property
    def lead(self) -> int:
        """Cycles from ``activation[0]`` to ``addend[0]``."""
        return Unpack.latency + self._elements[0][0].lead

    @property
    def latency(self) -> int:
        """Cycles from ``activation[0]`` to ``total[0]``."""
        return self.lead + self.rows * ProcessingElement.latency

    @property
    def load_to_swap(self) -> int:
        """Cycles from the last ``load`` of a tile to ``swap[0]``, at least."""
        return 1 + Unpack.latency

    @property
    def swap_to_load(self) -> int:
        """Cycles from ``swap[0]`` to the first ``load`` of the next tile, at least."""
        last = (self.rows - 1) * self.row_skew + (self.columns - 1) * self.column_skew
        return last - Unpack.latency

    def tile_cycles(self, activations: int, loads: int) -> int:
        """Cycles from ``swap[0]`` of a tile to that of the next, at least.

        Args:
            activations: rows of them that the tile is for.
            loads: words of the next tile, R or C by the side on which it enters.
        """
        return max(activations, self.swap_to_load + loads - 1 + self.load_to_swap)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        load = Signal(Load)
        m.d.sync += load.eq(self.load)
        weight = [self._unpacked(m, f"weight_{i}", value) for i, value in enumerate(self.weight)]
        for r, row in enumerate(self._elements):
            activation = self._unpacked(m, f"activation_{r}", self.activation[r])
            for c, element in enumerate(row):
                m.submodules[f"element_{r}_{c}"] = element
                above = self._elements[r - 1][c] if r else None
                left = row[c - 1] if c else None
                m.d.comb += [
                    element.activation.eq(left.activation_right if left else activation),
                    element.swap.eq(left.swap_right if left else self.swap[r]),
                    element.load.eq(load),
                    element.above.eq(above.waiting if above else weight[c]),
                    element.left.eq(left.waiting if left else weight[r]),
                    element.addend.eq(above.total if above else self.addend[c]),
                ]
        m.d.comb += [
            total.eq(element.total)
            for total, element in zip(self.total, self._elements[-1], strict=True)
        ]
        return m

    def _unpacked(self, m: Module, name: str, value: Value) -> Value:
        """What enters at an edge, a cycle later."""
        m.submodules[name] = unpack = Unpack(self._form)
        m.d.comb += unpack.value.eq(value)
        return unpack.operand
