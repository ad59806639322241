"""A match of the simulated engine, held against the golden model and beside the cycle model."""

from typing import Any

import torch

from golden.datm import Match
from golden.options import MatchOptions
from golden.qe import Quantized
from software.library.backends.clocked_match import SimulatedMatch
from software.study.chunks import Lanes
from software.study.statistics import count_match
from system.engine_cycles import JobCost, job_cost
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics


def check_equal(found: Match, expected: Match) -> None:
    """Hold an engine's arrays against the golden model's.

    Raises:
        AssertionError: they differ.
    """
    for name in ("src", "dst", "loss", "medoids"):
        if not torch.equal(getattr(found, name), getattr(expected, name)):
            raise AssertionError(f"the engine's {name} is not the golden model's.")
    if found.loss_history != expected.loss_history:
        raise AssertionError("the engine's history of L is not the golden model's.")


def modelled(
    engine: EngineShape,
    quantized: Quantized,
    num_dst: int,
    reduce: int,
    options: MatchOptions,
    *,
    every_pair: bool = False,
    most_groups: int = 0,
) -> JobCost:
    """What the cycle model says of a match of some tokens, on counts of it.

    Args:
        engine: its sizes.
        quantized: the tokens.
        num_dst: M.
        reduce: K.
        options: how it starts and when it stops.
        every_pair: whether the engine keeps no distance from the pairing before.
        most_groups: groups of src whose comparisons are followed, in each pass; 0 for all.
    """
    lanes = Lanes(engine.dst_lanes, engine.src_lanes, engine.channel_lanes, most_groups)
    counted = count_match(quantized, num_dst, options, lanes=lanes, every_pair=every_pair)
    num_tokens, channels = quantized.q.shape
    job = JobShape(engine, num_tokens, channels, num_dst, reduce)
    return job_cost(job, MatchStatistics.from_dict(counted.as_dict()))


def beside_model(found: SimulatedMatch, cost: JobCost) -> dict[str, Any]:
    """Cycles, stage by stage, and beats of an engine, beside the model's."""
    total = cost.total
    return {
        "pairings": found.iterations,
        "cycles": found.cycles,
        "modelled": round(total.cycles),
        "error": total.cycles / found.cycles - 1,
        "stages": {
            stage: {
                "cycles": cycles, "modelled": cost.cycles(stage) if stage in cost.stages else 0,
            }
            for stage, cycles in found.stage_cycles.items()
        },
        "busy": found.busy_cycles,
        "busy_modelled": total.busy,
        "beats": list(found.beats),
        "beats_modelled": [total.read, total.written],
    }  # fmt: skip
