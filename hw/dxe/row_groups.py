"""Row groups: row banks side by side, so that users of different groups do not meet."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from hw.blocks.pipeline import delay
from hw.dxe.row_banks import RowBanks, RowReads, RowWrites


class RowGroups(wiring.Component):
    """As `RowBanks`, but that readers may ask in the same cycle who ask different groups.

    The highest bits of an address are the group's number. So may writers; one reader asks a group
    by turns with others, and changes groups no sooner than its last row was given by all banks.

    Ports: ``reads`` In `RowReads`, of each reader; ``writes`` In `RowWrites`, of each writer.

    Args:
        groups: a power of two, from 2.
        banks: elements of a row.
        rows: of a group, a power of two.
        bits: of an element.
        readers: the skew of each.
        writers: likewise.
    """

    latency = RowBanks.latency

    def __init__(
        self,
        groups: int,
        banks: int,
        rows: int,
        bits: int,
        *,
        readers: Sequence[int],
        writers: Sequence[int],
    ):
        self._rows, self._readers = rows, readers
        self._groups = [
            RowBanks(banks, rows, bits, readers=readers, writers=writers) for _ in range(groups)
        ]
        super().__init__(
            {
                "reads": In(RowReads(banks, groups * rows, bits)).array(len(readers)),
                "writes": In(RowWrites(banks, groups * rows, bits)).array(len(writers)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        row_bits = exact_log2(self._rows)
        for number, group in enumerate(self._groups):
            m.submodules[f"group_{number}"] = group
            for ours, theirs in zip(self.reads, group.reads, strict=True):
                m.d.comb += [
                    theirs.read.eq(ours.read & (ours.address[row_bits:] == number)),
                    theirs.address.eq(ours.address[:row_bits]),
                ]
            for ours, theirs in zip(self.writes, group.writes, strict=True):
                m.d.comb += [
                    theirs.write.eq(ours.write & (ours.address[row_bits:] == number)),
                    theirs.address.eq(ours.address[:row_bits]),
                    Cat(theirs.values).eq(Cat(ours.values)),
                ]
        for user, (reads, skew) in enumerate(zip(self.reads, self._readers, strict=True)):
            asked: Value = reads.address[row_bits:]
            for bank, element in enumerate(reads.elements):
                asked = delay(m, asked, skew if bank else self.latency, f"asked_{user}_{bank}")
                given = Array(group.reads[user].elements[bank] for group in self._groups)
                m.d.comb += element.eq(given[asked])
        return m
