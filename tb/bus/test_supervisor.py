"""The supervisor against its docstring, written once more as a plain step a cycle."""

import random
from dataclasses import dataclass
from typing import Any

import cocotb

from hw.bus.supervisor import Supervisor
from tb.runner import simulate
from tb.streams import Bench, set_value

INPUTS = ("start", "done", "bus_error", "abort", "transfer", "quiet")
OUTPUTS = ("stop", "flush", "ended", "aborted", "timed_out", "alarm")


@dataclass
class Model:
    """What the outputs are, cycle by cycle."""

    job: str = "none"
    """none, running, given up or flushing."""
    silent: int = 0
    """Cycles of the job since the last transfer, or since its start."""
    aborted: bool = False
    timed_out: bool = False

    def outputs(self, given: dict[str, int], limit: int) -> dict[str, int]:
        """The outputs of this cycle."""
        return {
            "stop": self.job in ("given up", "flushing"),
            "flush": self.job == "flushing",
            "ended": self.job == "flushing" or (self.job == "running" and given["done"]),
            "aborted": self.aborted,
            "timed_out": self.timed_out,
            "alarm": self.bites(given, limit),
        }

    def bites(self, given: dict[str, int], limit: int) -> bool:
        """Whether this is the last of ``limit`` cycles without a transfer, the first such time."""
        silent = self.job != "none" and not given["transfer"] and not self.timed_out
        return silent and limit > 0 and self.silent + 1 == limit

    def step(self, given: dict[str, int], limit: int) -> None:
        """To the next cycle."""
        bites = self.bites(given, limit)
        self.timed_out |= bites
        self.silent = 0 if given["transfer"] else self.silent + 1
        if self.job == "none" and given["start"]:
            self.job, self.silent, self.aborted, self.timed_out = "running", 0, False, False
        elif self.job == "running" and given["done"]:
            self.job = "none"
        elif self.job == "running" and (given["bus_error"] or given["abort"] or bites):
            self.job, self.aborted = "given up", bool(given["abort"])
        elif self.job == "given up" and given["quiet"]:
            self.job = "flushing"
        elif self.job == "flushing":
            self.job = "none"


@cocotb.test()
@cocotb.parametrize(limit=[0, 1, 2, 7])
async def as_written(dut: Any, limit: int) -> None:
    """Jobs of every end, the ends of several kinds in one cycle among them."""
    rng = random.Random(limit)
    bench, model = Bench(dut), Model()
    for name in INPUTS:
        getattr(dut, name).value = 0
    set_value(dut.limit, limit)
    await bench.reset()
    ends = dict.fromkeys(("done", "given up", "aborted", "timed_out", "alarm while given up"), 0)
    for _ in range(6_000):
        chances = {
            "start": 0.3 if model.job == "none" else 0.0,
            "done": 0.04 if model.job == "running" else 0.0,
            "bus_error": 0.02, "abort": 0.02, "transfer": 0.3, "quiet": 0.2,
        }  # fmt: skip
        given = {name: int(rng.random() < chance) for name, chance in chances.items()}
        for name, value in given.items():
            getattr(dut, name).value = value
        expected = model.outputs(given, limit)
        await bench.cycles()
        found = {name: bool(getattr(dut, name).value) for name in OUTPUTS}
        assert found == {name: bool(value) for name, value in expected.items()}
        ends["done"] += bool(expected["ended"] and not expected["flush"])
        ends["given up"] += bool(expected["flush"])
        ends["aborted"] += bool(expected["flush"] and model.aborted)
        ends["timed_out"] += bool(expected["flush"] and model.timed_out)
        ends["alarm while given up"] += bool(expected["alarm"] and model.job == "given up")
        model.step(given, limit)
    seldom = [name for name, count in ends.items() if count < 10]
    assert seldom == (["timed_out", "alarm while given up"] if limit == 0 else [])


@cocotb.test()
async def counts_to_the_limit(dut: Any) -> None:
    """A limit of more bits than the others, and one transfer that puts it off."""
    bench = Bench(dut)
    for name in INPUTS:
        getattr(dut, name).value = 0
    limit = 1_003
    set_value(dut.limit, limit)
    await bench.reset()
    dut.start.value = 1
    await bench.cycles()
    dut.start.value = 0
    await bench.cycles(limit - 1)
    dut.transfer.value = 1
    await bench.cycles()
    dut.transfer.value = 0
    await bench.cycles(limit - 1)
    assert not dut.stop.value
    await bench.cycles()
    assert dut.alarm.value == 1
    await bench.cycles()
    assert dut.stop.value == dut.timed_out.value == 1


@cocotb.test()
async def reset_ends_a_job(dut: Any) -> None:
    """A reset forgets the job, and what had become of the one before."""
    bench = Bench(dut)
    for name in INPUTS:
        getattr(dut, name).value = 0
    set_value(dut.limit, 5)
    await bench.reset()
    for _ in range(2):
        dut.start.value = 1
        await bench.cycles()
        dut.start.value = 0
        await bench.cycles(8)
        assert dut.stop.value == dut.timed_out.value == 1
        await bench.reset()
        await bench.cycles()
        assert not any(getattr(dut, name).value for name in OUTPUTS)


def test_supervisor() -> None:
    simulate(Supervisor(), __name__, "supervisor")
