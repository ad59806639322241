"""The tables on single-port banks: bounds visited twice a cycle, groups by lane, and a row."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring

from hw.config import BANK_BITS, LEVEL_BITS, PRESETS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import SPAN_BITS
from hw.quantize.lanes import bounds_word, max_words, revisit_word, values_of
from hw.quantize.tables import LEVELS_PER_WORD, Tables, group_span
from hw.scratchpad import with_scratchpad
from tb.layouts import decode, encode
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "own": TINY,
    "shared": replace(TINY, scale_group=4, quantize_lanes=4),
    "shared-wide": replace(
        TINY, bus_bytes=32, max_channels=128, channel_lanes=8, scale_group=8, quantize_lanes=8
    ),
}
CYCLES = 3000


class TablesWithScratchpad(wiring.Component):
    """The tables between their other ports."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._tables = Tables(config)
        members = dict(self._tables.signature.members.items())
        del members["scratch"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.tables = tables = self._tables
        with_scratchpad(m, self._config, tables.scratch)
        wiring.connect(m, wiring.flipped(self.bounds), tables.bounds)
        wiring.connect(m, wiring.flipped(self.revisit), tables.revisit)
        m.d.comb += self.positions.eq(tables.positions)
        if self._config.scale_group > 1:
            wiring.connect(m, wiring.flipped(self.group), tables.group)
            wiring.connect(m, wiring.flipped(self.row), tables.row)
            for outer, inner in zip(self.groups, tables.groups, strict=True):
                wiring.connect(m, wiring.flipped(outer), inner)
        return m


async def start(dut: Any) -> tuple[Bench, EngineConfig, random.Random]:
    """Out of reset, with nothing asked for."""
    bench, config = Bench(dut), EngineConfig(**parameters())
    dut.revisit__valid.value = 0
    if config.scale_group > 1:
        dut.group__valid.value = 0
        dut.row__write.value = 0
    await bench.reset()
    return bench, config, random.Random(4)


@cocotb.test()
async def bounds(dut: Any) -> None:
    """A lookup and a write or another read of a word of unlike parity, every cycle."""
    bench, config, pick = await start(dut)
    lanes, words = config.quantize_lanes, max_words(config)
    kept: dict[tuple[int, int, str], int] = {}
    kept_then: dict[tuple[int, int, str], int] = {}
    asked = again = None
    for _ in range(CYCLES):
        index, visited = pick.randrange(words), pick.randrange(words)
        written: dict[str, Any] = {
            "index": visited,
            "write": pick.randrange(2),
            "value": [pick.getrandbits(VALUE_BITS) for _ in range(lanes)],
            "low": pick.getrandbits(lanes),
            "high": pick.getrandbits(lanes),
        }
        valid = pick.randrange(4) != 0
        set_value(dut.bounds__index, index)
        set_value(dut.revisit__payload, encode(revisit_word(config), written))
        dut.revisit__valid.value = int(valid)
        await bench.cycles()
        # An edge shows the answers to the cycle before the one that it ends.
        if asked is not None:
            entry = decode(bounds_word(config), int(dut.bounds__entry.value.to_unsigned()))
            assert_known(kept_then, asked, entry, ("low", "high"))
        if again is not None:
            found = decode(values_of(config), int(dut.positions.value.to_unsigned()))
            assert_known(kept_then, again, [{"high": value} for value in found], ("high",))
        kept_then = dict(kept)
        asked = index if not (valid and (index - visited) % 2 == 0) else None
        again = visited if valid and not written["write"] else None
        if valid and written["write"]:
            for lane in range(lanes):
                for name in ("low", "high"):
                    if written[name] >> lane & 1:
                        kept[visited, lane, name] = written["value"][lane]
    assert len(kept) == words * lanes * 2


def assert_known(
    kept: dict[tuple[int, int, str], int], index: int, entry: Any, names: tuple[str, ...]
) -> None:
    """What was written of a word is found in its entry."""
    for lane, channel in enumerate(entry):
        for name in names:
            if (index, lane, name) in kept:
                assert channel[name] == kept[index, lane, name]


@cocotb.test()
async def groups_and_row(dut: Any) -> None:
    """Spans that each lane looks up by itself, and a row whose lanes write levels apart."""
    bench, config, pick = await start(dut)
    if config.scale_group == 1:
        return
    lanes = config.quantize_lanes
    spans = [pick.getrandbits(SPAN_BITS) for _ in range(config.max_chunks)]
    for group, span in enumerate(spans):
        word = encode(group_span(config), {"group": group, "span": span})
        set_value(dut.group__payload, word)
        dut.group__valid.value = 1
        await bench.cycles()
    dut.group__valid.value = 0

    depth = config.max_channels // LEVELS_PER_WORD
    address_bits = max(1, (depth - 1).bit_length())
    row = [[[0] * LEVELS_PER_WORD for _ in range(depth)] for _ in range(lanes)]
    for address in range(depth):
        await access_row(bench, lanes, address_bits, [address] * lanes, [0] * lanes, -1)
    before: tuple[list[int], list[int], list[list[int]] | None] | None = None
    for _ in range(CYCLES // 4):
        groups = [pick.randrange(len(spans)) for _ in range(lanes)]
        for lane, group in enumerate(groups):
            set_value(getattr(dut, f"groups__{lane}__index"), group)
        addresses = [pick.randrange(depth) for _ in range(lanes)]
        masks = [pick.getrandbits(LEVELS_PER_WORD) for _ in range(lanes)]
        levels = [pick.getrandbits(LEVEL_BITS) for _ in range(lanes)]
        writes = pick.randrange(2)
        await access_row(bench, lanes, address_bits, addresses, levels, masks, writes)
        if before is not None:
            for lane, group in enumerate(before[0]):
                entry = getattr(dut, f"groups__{lane}__entry").value
                assert int(entry.to_unsigned()) == spans[group]
            if before[2] is not None:
                shape = data.ArrayLayout(data.ArrayLayout(LEVEL_BITS, LEVELS_PER_WORD), lanes)
                assert shape.size == lanes * BANK_BITS
                assert decode(shape, int(dut.row__entry.value.to_unsigned())) == before[2]
        words = [list(row[lane][address]) for lane, address in enumerate(addresses)]
        before = groups, addresses, None if writes else words
        if writes:
            for lane, address in enumerate(addresses):
                for place in range(LEVELS_PER_WORD):
                    if masks[lane] >> place & 1:
                        row[lane][address][place] = levels[lane]


async def access_row(
    bench: Bench, lanes: int, address_bits: int, addresses: list[int], levels: list[int],
    masks: list[int] | int, writes: int = 1,
) -> None:  # fmt: skip
    """A cycle of the row's banks."""
    dut, full = bench.dut, (1 << LEVELS_PER_WORD) - 1
    masks = [full] * lanes if isinstance(masks, int) else masks
    for name, values, bits in (
        ("address", addresses, address_bits),
        ("levels", levels, LEVEL_BITS),
        ("mask", masks, LEVELS_PER_WORD),
    ):
        word = sum(value << bits * lane for lane, value in enumerate(values))
        set_value(getattr(dut, f"row__{name}"), word)
    dut.row__write.value = writes
    await bench.cycles()


@pytest.mark.parametrize("name", CONFIGS)
def test_tables(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        TablesWithScratchpad(config), __name__, f"tables_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
