"""Bitonic sorter: by the zero-one principle, and its comparator at full width."""

from typing import Any

from amaranth.hdl import Assert, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import PRESETS, RECORD_BITS
from hw.sort.bitonic import BitonicSorter

_CONFIG = PRESETS["tiny"]
_WIDTH = max(config.sorter_width for config in PRESETS.values())
"""Of the widest network that is shipped."""
_LATENCY = BitonicSorter(_CONFIG, _WIDTH).latency


class _ZeroOne(wiring.Component):
    """Keys of a bit each: the sorted list is as many zeros, and then as many ones, as came."""

    def __init__(self, unit: Any, width: int):
        self._unit = unit(_CONFIG, width)
        self._width = width
        super().__init__({"keys": In(width), "valid": In(1), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        m.d.comb += unit.chunk.valid.eq(self.valid)
        m.d.comb += [unit.chunk.payload[i].eq(self.keys[i]) for i in range(self._width)]
        keys, valid = (ago(m, value, unit.latency) for value in (self.keys, self.valid))
        zeros = Signal(range(self._width + 1))
        m.d.comb += zeros.eq(sum(~keys[i] for i in range(self._width)))
        m.d.comb += Assert(unit.sorted.valid == valid)
        for place in range(self._width):
            m.d.comb += Assert(unit.sorted.payload[place] == (place >= zeros))
        m.d.comb += self.reached.eq(valid & (zeros == self._width // 2) & keys[0])
        return m


class _Compared(wiring.Component):
    """Two whole records: a network of one comparator."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG, 2)
        super().__init__({"left": In(RECORD_BITS), "right": In(RECORD_BITS), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        m.d.comb += [unit.chunk.payload[0].eq(self.left), unit.chunk.payload[1].eq(self.right)]
        left, right = ago(m, self.left, 1), ago(m, self.right, 1)
        less, more = unit.sorted.payload[0], unit.sorted.payload[1]
        m.d.comb += [
            Assert(less <= more),
            Assert(((less == left) & (more == right)) | ((less == right) & (more == left))),
            self.reached.eq((left > right) & (less != 0)),
        ]
        return m


NETWORK = Proof(
    BitonicSorter,
    f"the network of {_WIDTH}, the widest shipped, sorts every list of zeros and ones, and by the"
    " zero-one principle every list: its comparators do not depend on what came; a chunk a cycle",
    lambda unit: _ZeroOne(unit, _WIDTH),
    (
        ("records[high] < records[low]", "records[high] > records[low]"),
        ("(j, i) if i & block else (i, j)", "(i, j)"),
        ("distance = block // 2", "distance = max(1, block // 4)"),
        ("valid_after.eq(valid)", "valid_after.eq(1)"),
    ),
    ("half of the keys are zeros",),
    window=_LATENCY,
    instead={"RECORD_BITS": 1},
)
COMPARATOR = Proof(
    BitonicSorter,
    f"a comparator of two records of {RECORD_BITS} bits gives both, the lesser one first",
    _Compared,
    (
        ("Mux(swap, records[high], records[low])", "records[low]"),
        ("Mux(swap, records[low], records[high])", "records[low] | records[high]"),
        ("records[high] < records[low]", "records[high][1:] < records[low][1:]"),
    ),
    ("two records change places",),
    window=1,
)
