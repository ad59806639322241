"""Arrangements: which engine matches which layer, and what time and memory there is for it."""

from dataclasses import dataclass, replace
from typing import Literal

from system.cost import Cost
from system.engine_cycles import JobCost, job_cost
from system.engine_shape import JobShape
from system.match_statistics import MatchStatistics
from system.memory import Memory
from system.models import INSTANCES, VideoModel

Arrangement = Literal["own", "shared"]

BYTES_A_CYCLE = 1_935
"""Of the memory of all instances, at 1 GHz."""


@dataclass(frozen=True)
class LayerMatch:
    """The matching of a layer.

    Attributes:
        cost: of one engine that takes part.
        available: cycles that there are for it; None where no model is known.
        bus_bytes: bytes of a beat.
        lanes: of an engine.
        engines: that match for all instances.
    """

    cost: JobCost
    available: float | None
    bus_bytes: int
    lanes: int
    engines: int

    @property
    def margin(self) -> float | None:
        """The time that there is, in times that are needed."""
        return None if self.available is None else self.available / self.cost.total.cycles

    @property
    def hidden(self) -> bool | None:
        """Whether matching ends in time."""
        return None if self.margin is None else self.margin >= 1

    @property
    def bytes_a_cycle(self) -> float:
        """Memory traffic while an engine works."""
        return self.cost.total.beats * self.bus_bytes / self.cost.total.cycles

    @property
    def bandwidth_share(self) -> float:
        """The same of all engines, of the memory that all instances have."""
        return self.engines * self.bytes_a_cycle / BYTES_A_CYCLE

    @property
    def utilisation(self) -> float:
        """Useful lane-cycles of all those from the begin of each pass of a pairing to its end.

        Useful is a lane that compares a channel of a src with one of a dst. What is missing of a
        last tile of src or dst, or of a last chunk, does not count, nor does what comes before and
        after the comparisons of a src tile. A comparison that ends early counts as far as it goes.
        """
        pair = self.cost.stages["pair"]
        return pair.useful / (pair.cycles * self.lanes)


def layer_match(
    job: JobShape,
    statistics: MatchStatistics,
    memory: Memory,
    arrangement: Arrangement,
    model: VideoModel | None = None,
    engines: int = INSTANCES,
) -> LayerMatch:
    """Match a layer.

    * ``own``: of E engines each takes every E-th layer whole, and has E layer times for it, as its
      pairs are wanted a step later.
    * ``shared``: all engines take every layer together, and have one layer time. Src, with their
      entries and rows, are split over the engines; the dst stream is sent to all at once, and each
      counts its part of it. All other stages split as well as if their work were divided evenly:
      quantising by rows, sorting and updating by slots, the pairs merged before every update. What
      engines tell one another is taken to cost nothing.

    Raises:
        ValueError: no engine, or more than there are instances.
    """
    if not 1 <= engines <= INSTANCES:
        raise ValueError(f"engines is {engines}; it must lie in 1..{INSTANCES}.")
    if arrangement == "shared":
        split = replace(
            statistics,
            pairings=tuple(
                replace(each, compared=-(-each.compared // engines),
                        full=-(-each.full // engines))
                for each in statistics.pairings
            ),
        )  # fmt: skip
        cost = _shared(job_cost(job, split, memory, engines=engines), engines)
    else:
        cost = job_cost(job, statistics, memory)
    layers = 1 if arrangement == "shared" else engines
    available = None if model is None else layers * model.layer_cycles
    return LayerMatch(cost, available, job.engine.bus_bytes, job.engine.lanes, engines)


def _shared(cost: JobCost, engines: int) -> JobCost:
    """An engine's part of a job whose pairings are its own already."""
    stages = {
        stage: each if stage == "pair" else _part(each, engines)
        for stage, each in cost.stages.items()
    }
    parts = tuple(
        (stage, name, each if stage == "pair" else _part(each, engines))
        for stage, name, each in cost.parts
    )
    return JobCost(stages, parts)


def _part(cost: Cost, engines: int) -> Cost:
    return Cost(cost.cycles / engines, -(-cost.read // engines), -(-cost.written // engines))
