"""What each engine comes to, and which of them no other is better than in everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from hw.config import EngineConfig
from software.study.exploration.space import differences
from software.study.exploration.tasks import Scale
from system.arrangement import layer_match
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics
from system.memory import Memory
from system.models import VideoModel


@dataclass(frozen=True)
class Workload:
    """A layer whose tokens are matched.

    Attributes:
        name: of a model, or its sizes.
        tokens, channels, num_dst, reduce: N, D, M, K.
        model: whose layer time there is for it; None where it is not known.
    """

    name: str
    tokens: int
    channels: int
    num_dst: int
    reduce: int
    model: VideoModel | None = None

    def job(self, engine: EngineShape) -> JobShape:
        """It in an engine.

        Raises:
            ValueError: the engine cannot hold it.
        """
        return JobShape(engine, self.tokens, self.channels, self.num_dst, self.reduce)


def name_of(config: EngineConfig, base: EngineConfig) -> str:
    """The array's shape, and what else is not the preset's."""
    shape = f"{config.dst_lanes}x{config.src_lanes}x{config.channel_lanes}"
    others = {
        name: value for name, value in differences(config, base).items()
        if name not in ("dst_lanes", "src_lanes", "channel_lanes")
    }  # fmt: skip
    return ", ".join([shape, *(f"{name} {value}" for name, value in others.items())])


def match_statistics(counted: Mapping[str, Any], lanes: int) -> MatchStatistics:
    """What `Counts` measured, for the lanes at a place of its."""
    passes = iter(counted["chunks"][lanes])
    pairings = []
    for number, pairing in enumerate(counted["statistics"]["pairings"]):
        moved = next(passes) if number else []
        pairings.append({**pairing, "moved_chunks": moved, "full_chunks": next(passes)})
    return MatchStatistics.from_dict({**counted["statistics"], "pairings": pairings})


def timing(
    config: EngineConfig, workload: Workload, counted: MatchStatistics, memory: Memory
) -> dict[str, Any]:
    """The cycle model's figures of a layer that an engine has to itself."""
    engine = EngineShape.from_dict(config.as_dict())
    job = workload.job(engine)
    scaled = counted.scaled(job.tokens, job.channels, job.num_dst)
    found = layer_match(job, scaled, memory, "own", workload.model)
    return {
        "cycles": round(found.cost.total.cycles),
        "margin": found.margin,
        "bandwidth_share": found.bandwidth_share,
        "utilisation": found.utilisation,
    }


def quality(runs: Mapping[Scale, Sequence[float]], exact: Scale) -> dict[Scale, dict[str, float]]:
    """Mean PSNR of each quantiser over the same runs, and how far it is above the exact one's."""
    found = {}
    for scale, psnrs in runs.items():
        gaps = [one - other for one, other in zip(psnrs, runs[exact], strict=True)]
        error = stdev(gaps) / len(gaps) ** 0.5
        found[scale] = {"psnr": fmean(psnrs), "gain": fmean(gaps), "error": error}
    return found


def objectives(point: Mapping[str, Any]) -> tuple[float, float, float]:
    """Area, time and memory traffic, each the less the better: of all layers the worst."""
    layers = point["layers"].values()
    margins = [layer["margin"] for layer in layers if layer["margin"] is not None]
    time = 1 / min(margins) if margins else max(layer["cycles"] for layer in layers)
    return point["area"]["mm2"]["28"], time, max(layer["bandwidth_share"] for layer in layers)


def mark_front(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points, each told whether it is on the front: none is better in one and worse in none."""
    marks = [objectives(point) for point in points]

    def beaten(mine: tuple[float, ...]) -> bool:
        return any(
            other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
            for other in marks
        )

    return [{**point, "front": not beaten(mine)} for point, mine in zip(points, marks, strict=True)]


def sort_points(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The smallest first."""
    return sorted(points, key=objectives)
