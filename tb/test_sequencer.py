"""The sequencer: which stage runs in which phase, in order, for every way that a job can go."""

from typing import Any

import cocotb

from hw.phases import Phase
from hw.sequencer import Sequencer
from tb.runner import simulate
from tb.streams import Bench

STAGES = ("quantize", "initialize", "pair", "converge", "sort", "update", "resolve")
FLAGS = (
    "run__start", "bad_job", "nonfinite", "bad_list", "sort_channels__start", "stop", "moved",
    "every_pair",
)  # fmt: skip
NAMES: dict[int, str] = {member.value: name for name, member in Phase.__members__.items()}
STAGE_CYCLES = 3

BEGIN = ["quantize QUANTIZE", "initialize INIT"]
PAIR = ["pair PAIR_FULL", "converge CONVERGE"]
PAIR_AGAIN = ["pair PAIR_MOVED", *PAIR]
UPDATE = ["sort SORT_GROUPS", "update UPDATE"]
END = ["sort SORT_PAIRS", "resolve RESOLVE"]


class Stages:
    """The stages that a sequencer runs, each for `STAGE_CYCLES` cycles."""

    def __init__(
        self,
        dut: Any,
        *,
        nonfinite: bool = False,
        bad_list: bool = False,
        sorts_channels: bool = False,
        stops_at: int = 99,
        moves_for: int = 99,
    ):
        self.dut = dut
        self.ran: list[str] = []
        self.pairings = 0
        self._nonfinite = nonfinite
        self._bad_list = bad_list
        self._asks = sorts_channels
        self._stops_at = stops_at
        self._moves_for = moves_for
        self._updates = 0
        self._left: dict[str, int] = {}
        self._starting: str | None = None

    def step(self) -> None:
        """What the stages do in the cycle that begins."""
        dut = self.dut
        for name in ("sort_channels__start", *(f"{stage}__done" for stage in STAGES)):
            getattr(dut, name).value = 0
        if self._starting is not None:
            self.ran.append(f"{self._starting} {NAMES[int(dut.phase.value)]}")
        self._starting = None
        assert dut.paired.value == (dut.pair__done.value and self.ran[-1] == "pair PAIR_FULL")
        self.pairings += int(dut.paired.value)
        for stage in STAGES:
            if getattr(dut, f"{stage}__start").value:
                self._start(stage)
        # The quantiser waits for the sorter that it is lent.
        running = "sort" if "sort" in self._left else next(iter(self._left), None)
        if running is not None:
            self._run(running)
        dut.stop.value = int(self.pairings >= self._stops_at)
        dut.moved.value = int(self._updates < self._moves_for)
        dut.nonfinite.value = int(self._nonfinite)
        dut.bad_list.value = int(self._bad_list)

    def _start(self, stage: str) -> None:
        assert self._starting is None, f"{stage} and {self._starting} at once"
        assert set(self._left) <= {"quantize"}, f"{stage} beside {set(self._left)}"
        assert stage not in self._left, f"{stage} was started twice"
        self._left[stage] = STAGE_CYCLES
        self._updates += stage == "update"
        self._starting = stage

    def _run(self, stage: str) -> None:
        self._left[stage] -= 1
        if self._left[stage] == 0:
            del self._left[stage]
            getattr(self.dut, f"{stage}__done").value = 1
        elif stage == "quantize" and self._asks:
            self._asks = False
            self.dut.sort_channels__start.value = 1


async def run(
    dut: Any, *, bad_job: bool = False, every_pair: bool = False, pairings: int, **rest: Any
) -> list[str]:
    """Run a job; the stages that ran and their phases. It makes that many pairings."""
    bench = Bench(dut)
    for name in (*FLAGS, *(f"{stage}__done" for stage in STAGES)):
        getattr(dut, name).value = 0
    await bench.reset()
    dut.bad_job.value, dut.every_pair.value = int(bad_job), int(every_pair)
    stages = Stages(dut, **rest)
    await bench.start()
    for _ in range(400):
        await bench.cycles()
        stages.step()
        if dut.run__done.value:
            assert NAMES[int(dut.phase.value)] == "DONE"
            await bench.cycles()
            assert NAMES[int(dut.phase.value)] == "IDLE"
            assert not dut.run__done.value
            assert stages.pairings == pairings
            return stages.ran
    raise AssertionError(f"the job does not end: {stages.ran}")


@cocotb.test()
async def stops_when_converged(dut: Any) -> None:
    """Three pairings, two updates between them; or one pairing and no update."""
    again = [*UPDATE, *PAIR_AGAIN]
    assert await run(dut, pairings=3, stops_at=3) == [*BEGIN, *PAIR, *again, *again, *END]
    assert await run(dut, pairings=1, stops_at=1) == [*BEGIN, *PAIR, *END]


@cocotb.test()
async def stops_when_nothing_moves(dut: Any) -> None:
    """The second update moves no slot: no third pairing."""
    expected = [*BEGIN, *PAIR, *UPDATE, *PAIR_AGAIN, *UPDATE, *END]
    assert await run(dut, pairings=2, moves_for=2) == expected


@cocotb.test()
async def pairs_over_all_slots(dut: Any) -> None:
    """Where the job wants every pair, no pairing is over the moved slots alone."""
    expected = [*BEGIN, *PAIR, *UPDATE, *PAIR, *UPDATE, *PAIR, *END]
    assert await run(dut, every_pair=True, pairings=3, stops_at=3) == expected
    expected = [*BEGIN, *PAIR, *UPDATE, *END]
    assert await run(dut, every_pair=True, pairings=1, moves_for=1) == expected


@cocotb.test()
async def sorts_channels_for_the_quantiser(dut: Any) -> None:
    """The sorter is lent to the quantiser and used again for the groups and the pairs."""
    expected = [BEGIN[0], "sort SORT_CHANNELS", BEGIN[1], *PAIR, *UPDATE, *PAIR_AGAIN, *END]
    assert await run(dut, sorts_channels=True, pairings=2, stops_at=2) == expected


@cocotb.test()
async def ends_on_errors(dut: Any) -> None:
    """A bad job runs nothing; bad values end it after quantisation, a bad list after init."""
    assert await run(dut, bad_job=True, pairings=0) == []
    assert await run(dut, nonfinite=True, pairings=0) == [BEGIN[0]]
    assert await run(dut, bad_list=True, pairings=0) == BEGIN


def test_sequencer() -> None:
    simulate(Sequencer(), __name__, "sequencer")
