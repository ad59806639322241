"""Tables: where the scratchpad holds what the quantise stage knows of channels and groups."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.lookup import Lookup
from hw.blocks.pipeline import delay
from hw.config import BANK_BITS, LEVEL_BITS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import SPAN_BITS
from hw.quantize.lanes import bounds_lookup, level_word, revisit_word, values_of
from hw.scratchpad import ScratchPort

LEVELS_PER_WORD = BANK_BITS // LEVEL_BITS
_MASK_BITS = VALUE_BITS // LEVEL_BITS


def group_span(config: EngineConfig) -> data.StructLayout:
    """The ``span`` that a ``group`` of positions shares."""
    return data.StructLayout({"group": config.chunk_index_bits, "span": SPAN_BITS})


def group_lookup(config: EngineConfig) -> Lookup:
    """How the span of a group is asked for."""
    return Lookup(config.chunk_index_bits, SPAN_BITS)


class RowBanks(wiring.Signature):
    """A bank of a quantised row for each of L lanes, as its user sees them.

    Members: ``address`` Out of each; ``write`` Out, of all: each lane's level of ``levels`` Out
    goes to those places of the word whose bit in the lane's ``mask`` Out is 1; ``entry`` In, of
    each, that of the address of the cycle before.
    """

    def __init__(self, config: EngineConfig):
        lanes = config.quantize_lanes
        address_bits = max(1, config.channel_bits - exact_log2(LEVELS_PER_WORD))
        super().__init__(
            {
                "address": Out(data.ArrayLayout(address_bits, lanes)),
                "write": Out(1),
                "mask": Out(data.ArrayLayout(LEVELS_PER_WORD, lanes)),
                "levels": Out(level_word(config)),
                "entry": In(data.ArrayLayout(BANK_BITS, lanes)),
            }
        )


class Tables(wiring.Component):
    """Bounds of channels, and where scales are shared spans of groups and a row, in banks.

    * Bounds: words of L channels, by turns in banks 0 to L/2 - 1 and in banks L/2 to L - 1, two
      channels a bank.
    * Spans of groups: a copy a lane, so that L groups are looked up at once, in banks L to 2L - 1.
    * A row: a bank a lane, in banks 2L to 3L - 1.

    Ports:
        ``bounds`` In `bounds_lookup`; ``revisit`` In, always-ready stream of `revisit_word`, in
        cycles in which no word of its parity is looked up, or none is waited for; ``positions``
        Out: the high values of a word that was revisited to be read, a cycle later.
        Where scales are shared: ``group`` In, always-ready stream of `group_span`, written in
        cycles in which no group is looked up; ``groups`` [L] In `group_lookup`; ``row`` In
        `RowBanks`.
        ``scratch`` Out `ScratchPort`.

    All of it combinational but for what chooses an entry.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        ports: dict[str, Any] = {
            "bounds": In(bounds_lookup(config)),
            "revisit": In(stream.Signature(revisit_word(config), always_ready=True)),
            "positions": Out(values_of(config)),
            "scratch": Out(ScratchPort(config)),
        }
        if config.scale_group > 1:
            ports |= {
                "group": In(stream.Signature(group_span(config), always_ready=True)),
                "groups": In(group_lookup(config)).array(config.quantize_lanes),
                "row": In(RowBanks(config)),
            }
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        self._keep_bounds(m)
        if self._config.scale_group > 1:
            self._keep_groups(m)
            self._keep_row(m)
        return m

    def _keep_bounds(self, m: Module) -> None:
        lanes, scratch = self._config.quantize_lanes, self.scratch
        again = self.revisit.payload
        for bank in range(lanes):
            parity, pair = divmod(bank, lanes // 2)
            mine = self.revisit.valid & (again.index[0] == parity)
            index = Mux(mine, again.index, self.bounds.index)
            pair_lanes = (2 * pair, 2 * pair + 1)
            m.d.comb += [
                scratch.address[bank].eq(index[1:]),
                scratch.write[bank].eq(mine & again.write),
                scratch.data[bank].eq(Cat(again.value[i].replicate(2) for i in pair_lanes)),
                scratch.mask[bank].eq(
                    Cat(
                        written[i].replicate(_MASK_BITS)
                        for i in pair_lanes
                        for written in (again.low, again.high)
                    )
                ),
            ]
        sets = [Cat(scratch.entry[i] for i in range(lanes // 2)),
                Cat(scratch.entry[i] for i in range(lanes // 2, lanes))]  # fmt: skip
        odd = delay(m, self.bounds.index[0], 1, "odd")
        odd_again = delay(m, again.index[0], 1, "odd_again")
        found = data.View(self.bounds.entry.shape(), Mux(odd_again, sets[1], sets[0]))
        m.d.comb += [
            self.bounds.entry.eq(Mux(odd, sets[1], sets[0])),
            *(self.positions[i].eq(found[i].high) for i in range(lanes)),
        ]

    def _keep_groups(self, m: Module) -> None:
        lanes, scratch, written = self._config.quantize_lanes, self.scratch, self.group.payload
        for lane, asked in enumerate(self.groups):
            bank = lanes + lane
            m.d.comb += [
                scratch.address[bank].eq(Mux(self.group.valid, written.group, asked.index)),
                scratch.write[bank].eq(self.group.valid),
                scratch.mask[bank].eq(-1),
                scratch.data[bank].eq(written.span),
                asked.entry.eq(scratch.entry[bank]),
            ]

    def _keep_row(self, m: Module) -> None:
        lanes, scratch, row = self._config.quantize_lanes, self.scratch, self.row
        for lane in range(lanes):
            bank = 2 * lanes + lane
            m.d.comb += [
                scratch.address[bank].eq(row.address[lane]),
                scratch.write[bank].eq(row.write),
                scratch.mask[bank].eq(row.mask[lane]),
                scratch.data[bank].eq(row.levels[lane].replicate(LEVELS_PER_WORD)),
                row.entry[lane].eq(scratch.entry[bank]),
            ]
