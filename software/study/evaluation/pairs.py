"""Fig. 4: which tokens are paired, on the video that the model sees at that step."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXTransformer3DModel
from numpy.typing import NDArray
from torch import Tensor

from software.demo.diffusion import TimeGrid
from software.demo.model import GRID, predict
from software.library.config import OrbisConfig
from software.library.matchers import MatchRequest, make_matcher
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.judges import Run
from software.study.evaluation.methods import METHODS, OURS
from software.study.evaluation.runs import unreduced
from software.study.evaluation.similarity import middle_layer
from software.study.evaluation.workers import Found, Task

SHOWN = (OURS, "BSM 2x2x2 on input")
"""The methods whose pairs are shown."""


@dataclass(frozen=True)
class PairsOf:
    """Finds the pairs of one method at one step of an unreduced run, in the middle layer."""

    run: Run
    grid: TimeGrid
    step: int
    config: OrbisConfig

    @torch.no_grad()
    def measure(
        self, model: CogVideoXTransformer3DModel
    ) -> tuple[list[tuple[int, int]], NDArray[np.float32]]:
        """(src, dst) of each pair, cheapest first; the video predicted then, [F, 3, H, W]."""
        reference, layer = unreduced(model, self.run, self.grid), middle_layer(model)
        tokens = reference.tokens
        shown = tokens.outputs if self.config.guide == "output" else tokens.inputs
        num_dst, reduce = self.config.counts(GRID)
        request = MatchRequest(layer, self.step, GRID, num_dst, reduce)
        found: Any = make_matcher(self.config)(shown[self.step, layer], request)
        moment = torch.tensor([self.grid.times[self.step]])
        state = reference.found.states[self.step]
        video = predict(model, state, moment, self.run.prompt.tokens)[0]
        pairs = list(zip(found.src.tolist(), found.dst.tolist(), strict=True))
        return pairs, video.clamp(-1, 1).numpy()


def _task(experiment: Experiment, name: str) -> PairsOf:
    method = next(method for method in METHODS if method.name == name)
    run = experiment.runs[-1]
    return PairsOf(
        run, experiment.grid, experiment.shown_step, method.config(experiment, experiment.ratio)
    )


def tasks(experiment: Experiment) -> list[Task]:
    """The methods shown, in one run."""
    return [_task(experiment, name) for name in SHOWN]


def video(experiment: Experiment, found: Found) -> Tensor:
    """The frames that pairs are drawn on, [F, 3, H, W]."""
    return torch.as_tensor(found[_task(experiment, OURS)][1])


def summary(experiment: Experiment, found: Found) -> dict[str, Any]:
    """For each method its ``pairs``, the share of them in one frame, and the largest group."""
    per_frame = GRID[1] * GRID[2]
    methods = {}
    for name in SHOWN:
        pairs = found[_task(experiment, name)][0]
        same = sum(src // per_frame == dst // per_frame for src, dst in pairs)
        methods[name] = {
            "within_a_frame": round(same / len(pairs), 4),
            "largest_group": 1 + max(Counter(dst for _, dst in pairs).values()),
            "pairs": pairs,
        }
    return {
        "run": str(_task(experiment, OURS).run),
        "step": experiment.shown_step,
        "methods": methods,
    }
