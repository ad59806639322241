"""Dispatch between units in Python: order, tokens, and that nothing is held back."""

import random
from collections import Counter, deque
from typing import Any

import cocotb
from amaranth.lib import data

from hw.dxe.dispatch import MOST_TOKENS, TELLING, Dispatch
from tb.dxe.lanes import pulses
from tb.layouts import encode
from tb.runner import simulate
from tb.streams import Bench, Sink, Source

BODIES = {
    "loader": data.StructLayout({"number": 12, "tells": 1}),
    "matrix": data.StructLayout({"tells": 1, "number": 12}),
    "vector": data.StructLayout({"number": 12, "other": 5, "tells": 1}),
}
NAMES = list(BODIES)


class Unit:
    """Takes instructions, and ends them in order after some time."""

    def __init__(self, rig: "Rig", name: str, stall: float, seed: int):
        self.taken: list[int] = []
        self.ended = 0
        self._rig, self._name = rig, name
        self._sink = Sink(rig.bench, name, BODIES[name], stall=stall, seed=seed)
        self._told = getattr(rig.bench.dut, f"{name}_told")
        self._told.value = 0
        self._random = random.Random(f"{seed} {name}")
        self._under_way: deque[tuple[int, int, int]] = deque()
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        bench = self._rig.bench
        while True:
            await bench.cycles()
            if self._told.value:
                self._told.value = 0
            for body in self._sink.values[len(self.taken) :]:
                number = body["number"]
                self.taken.append(number)
                instruction = self._rig.program[number]
                self._rig.use(self._name, instruction)
                assert body["tells"] == int(instruction["tells"] > 0)
                latest = self._under_way[-1][0] if self._under_way else bench.cycle
                end = max(latest + 1, bench.cycle + self._random.randint(1, 30))
                self._under_way.append((end, number, body["tells"]))
                assert sum(tells for _, _, tells in self._under_way) <= TELLING
            if self._under_way and self._under_way[0][0] <= bench.cycle:
                _, number, tells = self._under_way.popleft()
                self.ended += 1
                self._told.value = tells
                self._rig.give(self._name, self._rig.program[number])


class Rig:
    """The unit under test, a program, and the tokens that there are."""

    def __init__(self, dut: Any, program: list[dict[str, Any]], stall: float, seed: int):
        self.bench, self.program = Bench(dut), program
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.units = {name: Unit(self, name, stall, seed) for name in NAMES}
        self.source = Source(self.bench, "instruction", stall=stall, seed=seed)

    def use(self, name: str, instruction: dict[str, Any]) -> None:
        """An instruction was taken: its tokens are there, and used up."""
        for place, other in enumerate(NAMES):
            if instruction["needs"] >> place & 1:
                assert self.tokens[other, name] > 0, f"{name} begins before {other} has ended"
                self.tokens[other, name] -= 1

    def give(self, name: str, instruction: dict[str, Any]) -> None:
        """An instruction has ended."""
        for place, other in enumerate(NAMES):
            if instruction["tells"] >> place & 1:
                self.tokens[name, other] += 1
                assert self.tokens[name, other] <= MOST_TOKENS


def random_program(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Instructions that need tokens which earlier ones give."""
    given: Counter[tuple[int, int]] = Counter()
    program = []
    for number in range(count):
        unit = rng.randrange(len(NAMES))
        needs = tells = 0
        for other in range(len(NAMES)):
            if given[other, unit] and rng.random() < 0.6:
                given[other, unit] -= 1
                needs |= 1 << other
        for other in range(len(NAMES)):
            if given[unit, other] < 4 and rng.random() < 0.4:
                given[unit, other] += 1
                tells |= 1 << other
        program.append({"unit": unit, "needs": needs, "tells": tells, "number": number})
    return program


def coded(instruction: dict[str, Any]) -> int:
    """The word that the stream takes; the bit ``tells`` of a body is anything."""
    name = NAMES[instruction["unit"]]
    body = {"number": instruction["number"], "tells": instruction["number"] & 1}
    if name == "vector":
        body["other"] = 9
    fields = dict(Dispatch(BODIES).instruction_layout)
    whole = instruction | {"body": encode(BODIES[name], body)}
    return sum(whole[key] << field.offset for key, field in fields.items())


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.6])
async def programs(dut: Any, stall: float) -> None:
    """Programs at random: each unit gets its own in order, none before its tokens, all in time."""
    rng = random.Random(2)
    program = random_program(rng, 400)
    rig = Rig(dut, program, stall, seed=3)
    await rig.bench.reset()
    rig.source.put(coded(each) for each in program)
    for _ in range(20_000):
        await rig.bench.cycles()
        if sum(unit.ended for unit in rig.units.values()) == len(program):
            break
    for index, name in enumerate(NAMES):
        assert rig.units[name].taken == [
            each["number"] for each in program if each["unit"] == index
        ]
    await rig.bench.cycles(2)
    assert dut.idle.value == 1


@cocotb.test()
async def in_its_cycle(dut: Any) -> None:
    """An instruction is offered as late as declared, and a cycle after its token is told."""
    bench = Bench(dut)
    sinks = {name: Sink(bench, name, BODIES[name]) for name in NAMES}
    source = Source(bench, "instruction")
    for name in NAMES:
        getattr(dut, f"{name}_told").value = 0
    await bench.reset()
    first = {"unit": 0, "needs": 0, "tells": 2, "number": 1}
    second = {"unit": 1, "needs": 1, "tells": 0, "number": 2}
    source.put([coded(first), coded(second)])
    await bench.cycles(12)
    sent = source.sent[0][0]
    assert [cycle for cycle, _ in sinks["loader"].taken] == [sent + Dispatch.latency]
    assert not sinks["matrix"].taken
    told: list[int] = []
    cocotb.start_soon(pulses(bench, dut.loader_told, told))
    dut.loader_told.value = 1
    await bench.cycles()
    dut.loader_told.value = 0
    await bench.cycles(4)
    assert [cycle - 1 for cycle, _ in sinks["matrix"].taken] == told


def test_dispatch() -> None:
    simulate(Dispatch(BODIES), __name__, "dispatch")
