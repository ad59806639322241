"""The lookup mux: the table sees who is selected, and everybody sees the table."""

import random
from typing import Any

import cocotb
import pytest
from amaranth.hdl import Shape
from cocotb.triggers import Timer

from hw.blocks.lookup import Lookup
from hw.blocks.lookup_mux import LookupMux
from hw.config import PRESETS
from hw.words import weight_lookup
from tb.runner import parameters, simulate
from tb.streams import set_value

TINY, DEMO = PRESETS["tiny"], PRESETS["demo"]
CONFIGS: dict[str, tuple[Lookup, int]] = {
    "two": (weight_lookup(TINY), 2),
    "three": (weight_lookup(DEMO), 3),
    "four": (Lookup(range(20), 40), 4),
}
ROUNDS = 30


class Rig:
    """Drives askers and table; there is no clock, a value is there when the ports have settled."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.askers: int = parameters()["askers"]
        self.indices = [0] * self.askers
        for asker in range(self.askers):
            self.ask(asker, 0)

    def ask(self, asker: int, index: int) -> None:
        """Change an asker's index."""
        self.indices[asker] = index
        getattr(self.dut, f"asker__{asker}__index").value = index

    async def check(self, selected: int, entry: int) -> None:
        """What the table sees is the selected one's index; what all see is the entry."""
        self.dut.select.value = selected
        set_value(self.dut.table__entry, entry)
        await Timer(1, unit="ns")
        assert int(self.dut.table__index.value.to_unsigned()) == self.indices[selected]
        for asker in range(self.askers):
            seen = getattr(self.dut, f"asker__{asker}__entry").value
            assert int(seen.to_unsigned()) == entry


@cocotb.test()
async def every_select(dut: object) -> None:
    """Askers that ask for different indices, each selected in turn."""
    rig, pick = Rig(dut), random.Random(1)
    for _ in range(ROUNDS):
        for asker, index in enumerate(pick.sample(range(parameters()["indices"]), rig.askers)):
            rig.ask(asker, index)
        for selected in range(rig.askers):
            await rig.check(selected, pick.getrandbits(parameters()["entry_bits"]))


@cocotb.test()
async def follows_at_once(dut: object) -> None:
    """One asker's index changes: the table sees it if that one is selected, and else not."""
    rig, pick = Rig(dut), random.Random(2)
    entry = pick.getrandbits(parameters()["entry_bits"])
    for selected in range(rig.askers):
        for _ in range(ROUNDS):
            rig.ask(pick.randrange(rig.askers), pick.randrange(parameters()["indices"]))
            await rig.check(selected, entry)


@pytest.mark.parametrize("name", CONFIGS)
def test_lookup_mux(name: str) -> None:
    lookup, askers = CONFIGS[name]
    index, entry = (lookup.members[each].shape for each in ("index", "entry"))
    given = {
        "askers": askers,
        "indices": 1 << Shape.cast(index).width,
        "entry_bits": Shape.cast(entry).width,
    }
    simulate(LookupMux(lookup, askers), __name__, f"lookup_mux_{name}", given=given)
