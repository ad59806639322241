"""Memory and software that misbehave at every point of a whole job: told, and the next is right."""

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from golden.datm import match
from golden.options import MatchOptions
from hw.bus.registers import masks
from hw.config import PRESETS
from hw.regions import JobSizes
from software.library.backends.driver import OFFSETS, REASONS, acknowledge, register_writes
from software.library.backends.layout import Layout
from software.library.errors import SimulationError
from software.library.simulator import Simulator
from software.library.simulator.engine import engine_library

CONFIG = PRESETS["tiny"]
TOKENS, CHANNELS, NUM_DST, REDUCE = 9, 5, 3, 4
CHANNELS_OF_THE_BUS = ("ar", "r", "aw", "w", "b")
LATENCY, WATCHDOG = 3, 2_000
LIMIT = 20_000
MASKS = {name.removeprefix("STATUS."): mask for name, mask in masks().items() if "STATUS" in name}


class Rig:
    """The engine with its memory, and one job of several pairings with a host's list."""

    def __init__(self) -> None:
        self.options = MatchOptions(init=(0, 1, 2), epsilon=0)
        generator = torch.Generator().manual_seed(1)
        # In a row: the list's tokens are at one end of it, so that slots move more than once.
        noise = torch.randn((TOKENS, CHANNELS), generator=generator)
        self.tokens = (torch.arange(TOKENS)[:, None] + 0.3 * noise).half()
        self.expected = match(self.tokens, NUM_DST, REDUCE, self.options)
        assert self.expected.iterations > 2, "the job shows no incremental pairing"
        self.layout = Layout(JobSizes(CONFIG, TOKENS, CHANNELS, NUM_DST))
        self.simulator = Simulator(
            engine_library(CONFIG, "tiny"), self.layout.size, latency=LATENCY
        )

    def start(self, watchdog: int = WATCHDOG) -> None:
        """Fill memory and start the job."""
        memory = self.simulator.memory
        self.layout.put_tokens(memory, self.tokens.view(torch.int16).numpy().view(np.uint16))
        assert self.options.init is not None
        self.layout.put_dst(memory, list(self.options.init))
        writes = register_writes(self.layout, REDUCE, self.options, watchdog=watchdog)
        for offset, value in writes:
            self.simulator.write_register(offset, value)

    def status(self) -> set[str]:
        """The names of the bits of STATUS that are 1."""
        word = self.simulator.read_register(OFFSETS["STATUS"])
        return {name for name, mask in MASKS.items() if word & mask}

    def interrupted(self) -> set[str]:
        """Wait for the interrupt and clear it; the status."""
        assert self.simulator.run(LIMIT), f"no interrupt: {self.status()}"
        self.simulator.write_register(OFFSETS["INTERRUPT"], 1)
        return self.status()

    def is_right(self) -> None:
        """What the job left is what the golden model finds."""
        memory = self.simulator.memory
        for name, column in self.layout.records(memory, REDUCE).items():
            assert column.tolist() == getattr(self.expected, name).tolist(), name
        assert self.layout.dst(memory).tolist() == self.expected.medoids.tolist()
        pairings = self.simulator.read_register(OFFSETS["PAIRINGS"])
        assert self.layout.history(memory, pairings) == self.expected.loss_history

    def next_job(self) -> None:
        """The next job, on memory that behaves, is right."""
        self.start()
        assert self.interrupted() == {"done"}
        self.is_right()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.simulator.close()


@pytest.mark.parametrize("channel", CHANNELS_OF_THE_BUS)
def test_an_error_anywhere_ends_the_job(rig: Rig, channel: str) -> None:
    """Every address, beat and response in turn is the one that is answered with an error."""
    for number in itertools.count():
        rig.start()
        begun = rig.simulator.cycles
        rig.simulator.misbehave(channel, number)
        status = rig.interrupted()
        if status == {"done"}:
            break
        assert status == {"done", "bus_error"}, f"{channel} {number}"
        rig.simulator.behave()
        rig.next_job()
    rig.is_right()
    assert number > 20
    # Given up at once: the first of all errors leaves hardly any of the job's cycles.
    whole = rig.simulator.cycles - begun
    begun = rig.simulator.cycles
    rig.start()
    rig.simulator.misbehave(channel, 0)
    rig.interrupted()
    assert rig.simulator.cycles - begun < whole // 2
    rig.simulator.behave()


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param(name, marks=[] if name in ("r", "b") else [pytest.mark.slow])
        for name in CHANNELS_OF_THE_BUS
    ],
)
def test_silence_anywhere_ends_the_job(rig: Rig, channel: str) -> None:
    """From every transfer on in turn, there are no more on its channel, until much later."""
    for number in itertools.count():
        rig.start()
        rig.simulator.misbehave(channel, number, silent=True)
        status = rig.interrupted()
        if status == {"done"}:
            break
        assert status == {"busy", "timed_out"}, f"{channel} {number}"
        assert not rig.simulator.run(WATCHDOG // 4), "it interrupts once, and once more at its end"
        with pytest.raises(SimulationError, match="answered with response 2"):
            rig.simulator.write_register(OFFSETS["CONTROL"], 1)
        rig.simulator.behave()
        assert rig.interrupted() == {"done", "timed_out"}, f"{channel} {number}"
        rig.next_job()
    rig.simulator.behave()
    rig.is_right()
    assert number > 20


def test_the_watchdog_can_be_off(rig: Rig) -> None:
    rig.start(watchdog=0)
    rig.simulator.misbehave("r", 30, silent=True)
    assert not rig.simulator.run(5 * WATCHDOG)
    assert rig.status() == {"busy"}
    rig.simulator.behave()
    assert rig.interrupted() == {"done"}
    rig.is_right()


def test_an_abort_anywhere_ends_the_job(rig: Rig) -> None:
    """At every seventh cycle of a job; a write is under way in some, bursts of reads in others."""
    rig.next_job()
    for cycles in itertools.count(1, 7):
        rig.start()
        if rig.simulator.run(cycles):
            break
        rig.simulator.write_register(OFFSETS["ABORT"], 1)
        status = rig.interrupted()
        if status == {"done"}:  # it had ended before the abort arrived
            break
        assert status == {"done", "aborted"}, f"after {cycles} cycles"
        rig.next_job()
    assert cycles > 1_000
    rig.simulator.write_register(OFFSETS["INTERRUPT"], 1)
    rig.is_right()


def test_an_abort_without_a_job_does_nothing(rig: Rig) -> None:
    rig.next_job()
    rig.simulator.write_register(OFFSETS["ABORT"], 1)
    assert not rig.simulator.run(100)
    assert rig.status() == {"done"}
    rig.next_job()


def test_an_abort_of_memory_that_is_silent_waits_for_it(rig: Rig) -> None:
    rig.start()
    rig.simulator.misbehave("r", 4, silent=True)
    assert not rig.simulator.run(WATCHDOG // 2)
    rig.simulator.write_register(OFFSETS["ABORT"], 1)
    assert rig.interrupted() == {"busy", "aborted", "timed_out"}
    rig.simulator.behave()
    assert rig.interrupted() == {"done", "aborted", "timed_out"}
    rig.next_job()


def test_a_start_while_busy_is_refused_and_changes_nothing(rig: Rig) -> None:
    """At random times, every register of the job too."""
    rng = random.Random(4)
    writes = list(register_writes(rig.layout, REDUCE, rig.options, watchdog=WATCHDOG))
    for _ in range(40):
        rig.start()
        assert not rig.simulator.run(rng.randint(1, 1_000))
        for offset, value in rng.sample(writes, 5) + writes[-1:]:
            with pytest.raises(SimulationError, match="answered with response 2"):
                rig.simulator.write_register(offset, value ^ 1)
        assert rig.interrupted() == {"done"}
        rig.is_right()


@pytest.mark.parametrize("listed", [[0, 1, 0], [0, 1, TOKENS], [1 << 31, 1, 2]])
def test_a_bad_list_ends_the_job(rig: Rig, listed: list[int]) -> None:
    """It touches none of the regions but its own, and the next job is right."""
    rig.next_job()
    rig.start()
    rig.layout.put_dst(rig.simulator.memory, listed)
    places = rig.layout.places
    own = ("QUANTIZED", "ENTRIES", "DST")
    others = [places[name] for name in places if name not in own]
    before = [place.words(rig.simulator.memory, 8).copy() for place in others]
    assert rig.interrupted() == {"done", "bad_list"}
    for place, content in zip(others, before, strict=True):
        assert np.array_equal(place.words(rig.simulator.memory, 8), content)
    rig.next_job()


@pytest.mark.parametrize("name", [name for name, mask in MASKS.items() if mask > MASKS["done"]])
def test_each_end_has_its_sentence(name: str) -> None:
    """The driver's sentence of each bit, the hint of memory that stays silent with it."""

    class Registers:
        def __init__(self, status: int):
            self.status = status

        def write_register(self, offset: int, value: int) -> None:
            assert (offset, value) == (OFFSETS["INTERRUPT"], 1)

        def read_register(self, offset: int) -> int:
            assert offset == OFFSETS["STATUS"]
            return self.status

    with pytest.raises(SimulationError, match=f"^{REASONS[name]}.$"):
        acknowledge(Registers(MASKS["done"] | MASKS[name]))
    with pytest.raises(SimulationError, match=f"^{REASONS[name]}; memory has not answered since"):
        acknowledge(Registers(MASKS["busy"] | MASKS[name]))
