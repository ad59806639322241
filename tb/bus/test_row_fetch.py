"""Row fetch: the request of every token's row, in the cycle that is declared."""

import random
from typing import Any

import cocotb
import pytest

from hw.bus.client import Request
from hw.bus.row_fetch import RowFetch
from hw.config import PRESETS, EngineConfig
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

TOKENS = 40


class Rig:
    """A `RowFetch` with a source of tokens and a taker of requests."""

    def __init__(self, dut: Any, *, token_stall: float = 0.0, request_stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        self.source = Source(self.bench, "token", stall=token_stall, seed=1)
        self.sink = Sink(self.bench, "request", Request(self.config), stall=request_stall, seed=2)
        self._random = random.Random(f"{token_stall} {request_stall}")

    def stop(self) -> None:
        """Stop both neighbours, as on a reset."""
        self.source.stop()
        self.sink.stop()

    def put(self, row_beats: int) -> list[dict[str, int]]:
        """Queue tokens; the requests that must follow.

        The least and the largest of a job are among them, and the largest that the port carries:
        of it alone, with the longest row, the product has all its bits.
        """
        config = self.config
        largest = (1 << config.token_bits) - 1
        size = (largest + 1) * config.max_row_beats * config.bus_bytes
        first = self._random.randrange(0, (1 << config.address_bits) - size, config.bus_bytes)
        set_value(self.dut.address, first)
        set_value(self.dut.row_beats, row_beats)
        tokens = [0, config.max_tokens - 1, largest]
        tokens += [self._random.randrange(config.max_tokens) for _ in range(TOKENS)]
        self.source.put(tokens)
        row = row_beats * config.bus_bytes
        return [{"address": first + token * row, "beats": row_beats} for token in tokens]

    async def run(self, row_beats: int) -> None:
        """One job's rows."""
        self.sink.taken.clear()
        expected = self.put(row_beats)
        await self.sink.wait(len(expected), limit=2000)
        assert self.sink.values == expected


async def every_row_length(rig: Rig) -> None:
    """Rows of one beat up to the most, job after job."""
    most = rig.config.max_row_beats
    await rig.bench.reset()
    for row_beats in sorted({1, 2, most // 2 + 1, most - 1, most}):
        await rig.run(row_beats)
    await rig.bench.cycles(RowFetch.latency + 2)
    assert len(rig.sink.taken) == TOKENS + 3


@cocotb.test()
async def latency_and_throughput(dut: object) -> None:
    """A request a cycle, `latency` cycles after its token."""
    rig = Rig(dut)
    await every_row_length(rig)
    sent = [cycle for cycle, _ in rig.source.sent]
    last = sent[-len(rig.sink.taken) :]
    assert [cycle for cycle, _ in rig.sink.taken] == [cycle + RowFetch.latency for cycle in last]
    assert last == list(range(last[0], last[0] + len(last)))


@cocotb.test()
async def late_tokens(dut: object) -> None:
    """Tokens with gaps keep their latency."""
    rig = Rig(dut, token_stall=0.6)
    await every_row_length(rig)
    sent = [cycle for cycle, _ in rig.source.sent][-len(rig.sink.taken) :]
    assert [cycle for cycle, _ in rig.sink.taken] == [cycle + RowFetch.latency for cycle in sent]


@cocotb.test()
async def stalls_on_both_sides(dut: object) -> None:
    """No request is lost, doubled or changed while it waits."""
    for stalls in ((0.0, 0.7), (0.5, 0.5), (0.7, 0.3)):
        rig = Rig(dut, token_stall=stalls[0], request_stall=stalls[1])
        await every_row_length(rig)
        rig.stop()


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """Of the tokens before a reset nothing is left."""
    for cycles in (1, 2, 3, 9):
        rig = Rig(dut, request_stall=0.5)
        await rig.bench.reset()
        rig.put(rig.config.max_row_beats)
        await rig.bench.cycles(cycles + 2)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut, request_stall=0.5)
        await rig.run(1)
        rig.stop()


@pytest.mark.parametrize("name", PRESETS)
def test_row_fetch(name: str) -> None:
    config = PRESETS[name]
    simulate(RowFetch(config), __name__, f"row_fetch_{name}", given=config.as_dict())
