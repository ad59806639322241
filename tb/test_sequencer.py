"""The sequencer: which stage follows which, for every way that a job can go."""

from typing import Any

import cocotb

from hw.phases import Phase
from hw.sequencer import Sequencer
from tb.runner import simulate
from tb.streams import Bench

STAGES = (
    "quantize", "initialize", "pair", "converge", "update", "sort", "report_dst", "report_history",
)  # fmt: skip
FLAGS = (
    "run__start", "bad_job", "nonfinite", "sort_channels__start", "all_packed", "stop", "moved",
)  # fmt: skip


PACK_CYCLES = 5
PHASES: dict[str, int] = {name: member.value for name, member in Phase.__members__.items()}


async def run(
    dut: Any,
    *,
    bad_job: bool = False,
    nonfinite: bool = False,
    sorts_channels: bool = False,
    stops_at: int = 99,
    moves_for: int = 99,
) -> list[str]:
    """Run a job whose stages take 3 cycles each; the stages in the order of their starts."""
    bench = Bench(dut)
    for name in FLAGS:
        getattr(dut, name).value = 0
    for stage in STAGES:
        getattr(dut, f"{stage}__done").value = 0
    await bench.reset()
    dut.bad_job.value = int(bad_job)
    await bench.start()
    started: list[str] = []
    pending: dict[str, int] = {}
    pairings = updates = 0
    asked = False
    packing = 0
    for _ in range(400):
        await bench.cycles()
        if dut.run__done.value:
            await bench.cycles()
            assert int(dut.phase.value) == PHASES["IDLE"]
            return started
        for stage in STAGES:
            getattr(dut, f"{stage}__done").value = 0
        dut.sort_channels__start.value = 0
        for stage in STAGES:
            if getattr(dut, f"{stage}__start").value:
                assert stage not in pending, f"{stage} was started twice"
                assert not [s for s in pending if s != "quantize"], f"{stage} beside {pending}"
                started.append(stage)
                pending[stage] = 3
                pairings += stage == "pair"
                updates += stage == "update"
        for stage, left in list(pending.items()):
            if stage == "quantize" and "sort" in pending:
                continue
            if stage == "quantize" and sorts_channels and not asked and left == 2:
                asked = True
                dut.sort_channels__start.value = 1
            pending[stage] = left - 1
            if left == 0:
                del pending[stage]
                getattr(dut, f"{stage}__done").value = 1
        dut.nonfinite.value = int(nonfinite)
        dut.stop.value = int(pairings >= stops_at)
        dut.moved.value = int(updates < moves_for)
        packing = packing + 1 if int(dut.phase.value) == PHASES["PACK"] else 0
        assert packing <= PACK_CYCLES + 2, "packed was not heeded"
        if dut.pair__start.value:
            assert dut.all_packed.value, "pairing began before everything was packed"
        dut.all_packed.value = int(packing >= PACK_CYCLES)
    raise AssertionError(f"the job does not end: {started}")


END = ["sort", "report_dst", "report_history"]


@cocotb.test()
async def stops_when_converged(dut: Any) -> None:
    """Three pairings, two updates between them."""
    refine = ["pair", "converge", "update"]
    expected = ["quantize", "initialize", *refine, *refine, "pair", "converge", *END]
    assert await run(dut, stops_at=3) == expected


@cocotb.test()
async def stops_when_nothing_moves(dut: Any) -> None:
    """The second update moves no slot: no third pairing."""
    refine = ["pair", "converge", "update"]
    assert await run(dut, moves_for=2) == ["quantize", "initialize", *refine, *refine, *END]


@cocotb.test()
async def sorts_channels_for_the_quantiser(dut: Any) -> None:
    """The sorter is lent to the quantiser and used again for top-k."""
    expected = ["quantize", "sort", "initialize", "pair", "converge", *END]
    assert await run(dut, sorts_channels=True, stops_at=1) == expected


@cocotb.test()
async def ends_on_errors(dut: Any) -> None:
    """A bad job runs nothing; a value that is not finite ends the job after quantisation."""
    assert await run(dut, bad_job=True) == []
    assert await run(dut, nonfinite=True) == ["quantize"]


def test_sequencer() -> None:
    simulate(Sequencer(), __name__, "sequencer")
