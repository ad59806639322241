"""Bitonic sorter: a pipelined sorting network of comparator arrays."""

from collections.abc import Iterator

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.config import RECORD_BITS, EngineConfig


def records_layout(width: int) -> data.ArrayLayout:
    """``width`` records of 64 bits, each compared as an unsigned integer."""
    return data.ArrayLayout(RECORD_BITS, width)


class BitonicSorter(wiring.Component):
    """Sorts W records ascending with Batcher's bitonic network.

    Stage by stage W/2 comparators each put the lesser record of a pair first; which pairs, and
    in which order, does not depend on the records. The caller fills positions beyond a short
    list with all-ones, which end up last.

    Ports: ``chunk`` In, ``sorted`` Out: always-ready streams of W records, `records_layout`.

    A chunk on cycle 0 is in ``sorted`` on cycle `latency`, for that cycle. A chunk a cycle, no
    back-pressure: a caller that needs it holds the whole network with an ``EnableInserter``.

    Raises:
        ValueError: ``width`` is not a power of two from 2 up.
    """

    def __init__(self, config: EngineConfig, width: int | None = None):
        self._width = config.sorter_width if width is None else width
        if self._width < 2 or self._width & (self._width - 1):
            raise ValueError(f"width is {self._width}, but must be a power of two from 2 up")
        layout = records_layout(self._width)
        super().__init__(
            {
                "chunk": In(stream.Signature(layout, always_ready=True)),
                "sorted": Out(stream.Signature(layout, always_ready=True)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a chunk to its sorted records: a stage each."""
        levels = ceil_log2(self._width)
        return int(levels * (levels + 1) // 2)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        records = [self.chunk.payload[i] for i in range(self._width)]
        valid = self.chunk.valid
        for stage, pairs in enumerate(self._stages()):
            # A record counts only with its valid, so only that needs a reset.
            after = [
                Signal(RECORD_BITS, name=f"record_{stage}_{i}", reset_less=True)
                for i in range(self._width)
            ]
            for low, high in pairs:
                swap = Signal(name=f"swap_{stage}_{min(low, high)}")
                m.d.comb += swap.eq(records[high] < records[low])
                m.d.sync += [
                    after[low].eq(Mux(swap, records[high], records[low])),
                    after[high].eq(Mux(swap, records[low], records[high])),
                ]
            records = after
            valid_after = Signal(name=f"valid_{stage}")
            m.d.sync += valid_after.eq(valid)
            valid = valid_after
        m.d.comb += self.sorted.valid.eq(valid)
        m.d.comb += [self.sorted.payload[i].eq(record) for i, record in enumerate(records)]
        return m

    def _stages(self) -> Iterator[list[tuple[int, int]]]:
        """The comparators of each stage: (where the lesser record goes, where the greater).

        Blocks of ``block`` records are sorted, alternately up and down, so that two neighbours
        are one bitonic list, which log2(2 * block) stages of ever nearer pairs sort in turn.
        """
        block = 2
        while block <= self._width:
            distance = block // 2
            while distance:
                pairs = [(i, i ^ distance) for i in range(self._width) if not i & distance]
                yield [(j, i) if i & block else (i, j) for i, j in pairs]
                distance //= 2
            block *= 2
