"""What each pairing of DATM gains, from random dst and from those of the match before."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from golden.sampler import sample
from software.demo.diffusion import TimeGrid
from software.demo.model import GRID
from software.library.config import OrbisConfig
from software.library.matchers import draw_seed
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.judges import Run
from software.study.evaluation.runs import unreduced
from software.study.evaluation.workers import Found, Task

PAIRINGS = 8
"""Pairings that are followed; a match that changes no more stays where it is."""
STARTS = ("cold", "warm")


@dataclass(frozen=True)
class Curves:
    """Follows the loss of every match of a run's outputs, with 4-bit tokens."""

    run: Run
    grid: TimeGrid
    steps: tuple[int, ...]
    config: OrbisConfig

    def measure(self, model: CogVideoXTransformer3DModel) -> dict[str, list[list[float]]]:
        """Means over layers and matching steps, by start and figure: [PAIRINGS] of each.

        ``loss`` is relative to the *cold* start's first pairing on the same tokens; ``moved`` is
        the share of slots that the update after a pairing moves. A warm start begins from the dst
        of the layer's match before, so a run's first match has none.
        """
        outputs = unreduced(model, self.run, self.grid).tokens.outputs
        rows: dict[str, list[list[list[float]]]] = {start: [] for start in STARTS}
        for layer in sorted({layer for _, layer in outputs}):
            before: Tensor | None = None
            for step in self.steps:
                points = quantize(outputs[step, layer])
                num_dst, _ = self.config.counts(GRID)
                cold = sample(len(points.q), num_dst, draw_seed(self.run.seed, layer, step))
                first = self._follow(points, cold, rows["cold"])
                if before is not None:
                    self._follow(points, before, rows["warm"], first)
                options = replace(
                    self.config.match_options, init=cold if before is None else before
                )
                before = match(points, num_dst, 0, options).medoids
        return {start: np.mean(found, axis=0).tolist() for start, found in rows.items() if found}

    def _follow(
        self, points: Quantized, dst: Tensor, rows: list[list[list[float]]],
        relative_to: float | None = None,
    ) -> float:  # fmt: skip
        """Add the curve of one match to the rows; returns L of its first pairing."""
        losses: list[float] = []
        moved: list[float] = []
        for _ in range(PAIRINGS):
            if moved and moved[-1] == 0:
                losses.append(losses[-1])
                moved.append(0.0)
                continue
            found = match(points, len(dst), 0, MatchOptions(init=dst, epsilon=0, max_iterations=2))
            losses.append(float(found.loss_history[0]))
            moved.append(float((found.medoids != dst).double().mean()))
            dst = found.medoids
        first = losses[0] if relative_to is None else relative_to
        rows.append([[loss / first for loss in losses], moved])
        return first


def _task(experiment: Experiment, run: Run) -> Curves:
    config = experiment.reduction(experiment.ratio)
    return Curves(run, experiment.grid, tuple(experiment.matching_steps), config)


def tasks(experiment: Experiment) -> list[Task]:
    """Every run."""
    return [_task(experiment, run) for run in experiment.runs]


def summary(experiment: Experiment, found: Found) -> dict[str, Any]:
    """Means over runs, by start: ``loss`` and ``moved``, a number a pairing."""
    measured = [found[_task(experiment, run)] for run in experiment.runs]
    result: dict[str, Any] = {}
    for start in STARTS:
        loss, moved = torch.tensor([row[start] for row in measured]).double().mean(0).tolist()
        result[start] = {
            "loss": [round(value, 4) for value in loss],
            "moved": [round(value, 4) for value in moved],
        }
    return result
