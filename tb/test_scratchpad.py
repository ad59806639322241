"""The scratchpad against dictionaries: masks, read after write, and users that take turns."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import BANK_BITS, LEVEL_BITS, PRESETS, EngineConfig
from hw.scratchpad import Scratchpad
from tb.layouts import decode_words, encode_words
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value, unsigned

TINY = PRESETS["tiny"]
LEVELS = BANK_BITS // LEVEL_BITS
CONFIGS = {
    "alone": (TINY, 1),
    "two": (replace(TINY, scale_group=4), 2),
    "uneven": (replace(TINY, src_lanes=10, src_groups=3, quantize_lanes=2), 3),
}
"""The config and the number of users: 2, 6 and 3 banks of 32, 32 and 48 words."""


class Users:
    """Drives the ports of all users at random, and knows what each bank holds."""

    def __init__(self, bench: Bench, seed: int):
        self.bench = bench
        self.dut = bench.dut
        self.config = EngineConfig(**parameters()["config"])
        self.users: int = parameters()["users"]
        self.banks, self.depth = self.config.scratch_banks, self.config.scratch_depth
        self.random = random.Random(seed)
        self.held: list[dict[int, list[int]]] = [{} for _ in range(self.banks)]
        """Of each bank: the levels of each address that was written."""

    def select(self, user: int) -> None:
        """The user whose turn it is."""
        self.dut.select.value = user

    def _drive(self, user: int, name: str, word_bits: int, words: list[int]) -> None:
        port = getattr(self.dut, f"user__{user}__{name}")
        set_value(port, encode_words(word_bits, words))

    def ask(self, user: int, address: list[int], write: list[int], mask: list[int],
            data: list[int]) -> None:  # fmt: skip
        """What a user asks for in the next cycle."""
        self._drive(user, "address", max(1, (self.depth - 1).bit_length()), address)
        self._drive(user, "write", 1, write)
        self._drive(user, "mask", LEVELS, mask)
        self._drive(user, "data", BANK_BITS, data)

    def entries(self, user: int) -> list[int]:
        """The entries that a user sees."""
        port = getattr(self.dut, f"user__{user}__entry")
        return decode_words(BANK_BITS, unsigned(port.value), self.banks)

    def random_ask(self, user: int, places: int) -> tuple[list[int], ...]:
        """Ask for reads and writes of the first and last ``places`` words, half each."""
        pick = self.random
        address = [
            pick.choice((pick.randrange(places), self.depth - 1 - pick.randrange(places)))
            for _ in range(self.banks)
        ]
        write = [pick.randrange(2) for _ in range(self.banks)]
        masks = (0, (1 << LEVELS) - 1, pick.getrandbits(LEVELS), 1 << pick.randrange(LEVELS))
        mask = [pick.choice(masks) for _ in range(self.banks)]
        data = [pick.getrandbits(BANK_BITS) for _ in range(self.banks)]
        self.ask(user, address, write, mask, data)
        return address, write, mask, data

    async def fill(self) -> None:
        """Write every word of every bank."""
        self.select(0)
        for address in range(self.depth):
            data = [self.random.getrandbits(BANK_BITS) for _ in range(self.banks)]
            places, ones = [address] * self.banks, [1] * self.banks
            self.ask(0, places, ones, [(1 << LEVELS) - 1] * self.banks, data)
            await RisingEdge(self.dut.clk)
            self.write(places, ones, [(1 << LEVELS) - 1] * self.banks, data)

    def write(self, address: list[int], write: list[int], mask: list[int], data: list[int]) -> None:
        """What a cycle's writes leave."""
        for bank, held in enumerate(self.held):
            if write[bank]:
                levels = held.setdefault(address[bank], [0] * LEVELS)
                given = decode_words(LEVEL_BITS, data[bank], LEVELS)
                for level in range(LEVELS):
                    if mask[bank] >> level & 1:
                        levels[level] = given[level]


@cocotb.test()
@cocotb.parametrize(places=[1, 3, 16])
async def users_by_turns(dut: Any, places: int) -> None:
    """All users ask at random; the one selected reads and writes, and all see what it reads."""
    users = Users(Bench(dut), places)
    await users.bench.reset()
    await users.fill()
    expected: list[int | None] = [None] * users.banks
    read = 0
    for _ in range(800):
        user = users.random.randrange(users.users)
        users.select(user)
        asked = [users.random_ask(each, places) for each in range(users.users)]
        await RisingEdge(dut.clk)
        # What is seen at this edge was read in the cycle before.
        for each in range(users.users):
            for bank, entry in enumerate(users.entries(each)):
                assert expected[bank] in (None, entry), f"user {each}, bank {bank}"
        address, write, mask, data = asked[user]
        expected = [
            None if write[bank] else encode_words(LEVEL_BITS, users.held[bank][address[bank]])
            for bank in range(users.banks)
        ]
        read += sum(value is not None for value in expected)
        users.write(address, write, mask, data)
    assert read > 300 * users.banks


@cocotb.test()
async def every_word_is_one_of_its_own(dut: Any) -> None:
    """The first address and the last, and all between, of each bank: written, then read."""
    users = Users(Bench(dut), 9)
    await users.bench.reset()
    await users.fill()
    user = users.users - 1
    users.select(user)
    nothing = [0] * users.banks
    found: list[list[int]] = []
    for address in [*range(users.depth), 0]:
        # Neither mask nor data count in a read.
        users.ask(user, [address] * users.banks, nothing, [1] * users.banks, [7] * users.banks)
        await RisingEdge(dut.clk)
        found.append(users.entries(user))
    assert found[1:] == [
        [encode_words(LEVEL_BITS, held[address]) for held in users.held]
        for address in range(users.depth)
    ]
    assert len({word for words in found[1:] for word in words}) == users.banks * users.depth


@pytest.mark.parametrize("name", CONFIGS)
def test_scratchpad(name: str) -> None:
    config, users = CONFIGS[name]
    simulate(
        Scratchpad(config, users),
        __name__,
        f"scratchpad_{name}",
        given={"config": config.as_dict(), "users": users},
    )
