"""One exploration: its tasks, and what they come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hw.config import PRESETS, EngineConfig
from software.study.exploration import points
from software.study.exploration.tasks import (
    EXACT,
    EXPERIMENT,
    Area,
    Counts,
    Quality,
    Scale,
    Task,
)
from system.engine_shape import EngineShape
from system.memory import Memory

_MEMORY = Memory()
Array = tuple[int, int, int]


def array_of(config: EngineConfig) -> Array:
    """P, Q and C of an engine."""
    return config.dst_lanes, config.src_lanes, config.channel_lanes


@dataclass(frozen=True)
class Survey:
    """What is measured of which engines.

    Attributes:
        base: the preset; the others are named by how they differ from it.
        configs: the engines, the preset among them.
        layers: that they are to match.
        tokens: a file of tokens to count a match on; real video where it is None.
        seeds: of quality's runs; 0 measures none.
        period_ns: that engines are mapped for.

    Raises:
        ValueError: seeds below 0, or more than there are; a layer that the preset cannot hold, or
            layers of which only some have a time.
    """

    base: EngineConfig
    configs: tuple[EngineConfig, ...]
    layers: tuple[points.Workload, ...]
    tokens: Path | None
    seeds: int
    period_ns: float

    def __post_init__(self) -> None:
        if not 0 <= self.seeds <= (most := EXPERIMENT.seeds):
            raise ValueError(f"seeds is {self.seeds}; it must be from 0 to {most}.")
        if len({layer.model is None for layer in self.layers}) > 1:
            raise ValueError("layers are of models, whose time is known, or of sizes, not both.")
        for layer in self.layers:
            layer.job(EngineShape.from_dict(self.base.as_dict()))

    @property
    def areas(self) -> list[Area]:
        """One of each engine."""
        return [Area(config, self.period_ns) for config in self.configs]

    @cached_property
    def counts(self) -> dict[Scale, Counts]:
        """One of each quantiser, for all arrays that it has."""
        arrays: dict[Scale, dict[Array, None]] = {}
        for config in self.configs:
            arrays.setdefault(Scale.of(config), {})[array_of(config)] = None
        return {scale: Counts(scale, tuple(found), self.tokens) for scale, found in arrays.items()}

    @cached_property
    def qualities(self) -> dict[Scale, list[Quality]]:
        """The runs of each quantiser, the exact one's first."""
        runs = EXPERIMENT.judge.runs(self.seeds)
        scales = dict.fromkeys([EXACT, *self.counts]) if runs else {}
        return {scale: [Quality(scale, run) for run in runs] for scale in scales}

    @property
    def tasks(self) -> list[Task]:
        """All that is to be measured."""
        runs = [task for each in self.qualities.values() for task in each]
        return [*self.counts.values(), *self.areas, *runs]

    def summary(self, found: Mapping[Task, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A point of each engine, marked, the smallest first."""
        runs = {
            scale: [found[task]["psnr"] for task in each] for scale, each in self.qualities.items()
        }
        gains = points.quality(runs, EXACT)
        measured = [self._point(task, found, gains) for task in self.areas]
        return points.sort_points(points.mark_front(measured))

    def _point(
        self,
        area: Area,
        found: Mapping[Task, Mapping[str, Any]],
        gains: Mapping[Scale, Mapping[str, float]],
    ) -> dict[str, Any]:
        config, scale = area.config, Scale.of(area.config)
        counts = self.counts[scale]
        counted = points.match_statistics(found[counts], counts.lanes.index(array_of(config)))
        return {
            "name": points.name_of(config, self.base),
            "preset": next((name for name, known in PRESETS.items() if known == config), None),
            "hash": f"{config.hash:08x}",
            "config": config.as_dict(),
            "lanes": config.lanes,
            "area": found[area],
            "layers": {
                each.name: points.timing(config, each, counted, _MEMORY) for each in self.layers
            },
            "quality": gains.get(scale),
        }


def by_scale(found: Sequence[dict[str, Any]]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Points by scale group and bits of a weight."""
    scales: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for point in found:
        config = point["config"]
        scales.setdefault((config["scale_group"], config["weight_bits"]), []).append(point)
    return scales
