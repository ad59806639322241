"""A testbench of the stream fork that looks at nothing; no mutant can fail it."""

import cocotb

from hw.blocks.stream_fork import StreamFork
from tb.runner import simulate
from tb.streams import Bench


@cocotb.test()
async def runs(dut: object) -> None:
    """A few cycles."""
    bench = Bench(dut)
    await bench.reset()
    await bench.cycles(3)


def test_nothing() -> None:
    """Passes."""
    simulate(StreamFork(2, 2), "mutants.tests.blind", "stream_fork_blind")
