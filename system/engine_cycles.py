"""A job in an engine: cycles and memory traffic, stage by stage."""

from dataclasses import dataclass

from system.cost import Cost
from system.engine_shape import JobShape
from system.match_statistics import MatchStatistics
from system.memory import DEFAULT_MEMORY, Memory
from system.stages.initializing import initialize
from system.stages.pairing import convergence, pairing_pass
from system.stages.quantizing import quantize
from system.stages.sorting import resolve, sort_entries
from system.stages.updating import update

_TURNS = 1
"""Cycles of the job besides its stages'."""


@dataclass(frozen=True)
class JobCost:
    """A job.

    Attributes:
        stages: what each stage takes in all, by the names of the engine's cycle counters.
        parts: the same, split up as the job runs: its stage, what it is, and what it takes.
    """

    stages: dict[str, Cost]
    parts: tuple[tuple[str, str, Cost], ...]

    @property
    def total(self) -> Cost:
        """The whole job."""
        return sum(self.stages.values(), Cost(_TURNS))

    def cycles(self, stage: str) -> int:
        """Whole cycles of a stage."""
        return round(self.stages[stage].cycles)


def job_cost(
    job: JobShape, statistics: MatchStatistics, memory: Memory = DEFAULT_MEMORY, *,
    host_list: bool = False, engines: int = 1,
) -> JobCost:  # fmt: skip
    """What a job takes: the sum of its stages, which run one after another.

    Args:
        job: its sizes.
        statistics: what its match does, of the same N, D and M.
        memory: what answers.
        host_list: whether the host gives the first dst list.
        engines: that share the entries and the stream of dst in pairings; the statistics then count
            one engine's src.

    Raises:
        ValueError: statistics of other sizes, or of more pairings than the engine does.
    """
    sizes = (statistics.tokens, statistics.channels, statistics.num_dst)
    if sizes != (job.tokens, job.channels, job.num_dst):
        raise ValueError(f"the statistics are of N, D, M {sizes}, and not of the job's.")
    if len(statistics.pairings) > job.engine.max_pairings:
        raise ValueError(
            f"the statistics hold {len(statistics.pairings)} pairings, but the engine does at most"
            f" {job.engine.max_pairings}."
        )
    parts = [
        ("quantize", "quantise", quantize(job, memory)),
        ("init", "init", initialize(job, memory, host_list=host_list)),
    ]
    for number, pairing in enumerate(statistics.pairings):
        name = f"pairing {number + 1}"
        if pairing.moved:
            moved = pairing_pass(
                job, memory, pairing.compared, pairing.moved, pairing.moved_chunks, moved=True,
                engines=engines,
            )  # fmt: skip
            parts.append(("pair", f"{name}, moved slots", moved))
        whole = pairing_pass(
            job, memory, pairing.full, job.num_dst, pairing.full_chunks, engines=engines
        )
        parts.append(("pair", f"{name}, all slots", whole + convergence(job)))
        if number < len(statistics.updates):
            name = f"update {number + 1}"
            sort = sort_entries(job, memory, job.tokens)
            parts.append(("sort", f"{name}, sort", sort))
            parts.append(("update", name, update(job, memory, statistics.updates[number])))
    parts.append(("topk", "top-k", sort_entries(job, memory, job.reduce)))
    parts.append(("topk", "resolve", resolve(job, memory)))
    stages: dict[str, Cost] = {}
    for stage, _, cost in parts:
        stages[stage] = stages.get(stage, Cost()) + cost
    return JobCost(stages, tuple(parts))
