"""One run, unreduced and reduced, and how far apart the two are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import fmean, stdev
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel

from software.demo.diffusion import Denoised, TimeGrid, denoise
from software.demo.metrics import compare, psnr
from software.demo.model import predict
from software.demo.recording import Recorded, record_run
from software.library.backends import MatchingBackend
from software.library.config import OrbisConfig
from software.library.matchers import DatmMatcher, make_matcher
from software.library.reduction import apply_orbis
from software.study.evaluation import lpips
from software.study.evaluation.judges import Run


@dataclass(frozen=True)
class Unreduced:
    """An unreduced run: its video and states, and every layer's tokens at every step.

    Of a guided run there are the tokens of the prompt that it is guided away from.
    """

    found: Denoised
    tokens: Recorded


@lru_cache(maxsize=1)
def unreduced(model: CogVideoXTransformer3DModel, run: Run, grid: TimeGrid) -> Unreduced:
    """The unreduced run; the last one is kept, as the next task most likely needs it again."""
    return Unreduced(*record_run(model, run.prompt, run.seed, grid, guidance=run.guidance))


@dataclass(frozen=True)
class WholeRun:
    """Measures a reduced run: ``compare``, LPIPS where it can be had, and pairings a match.

    It is matched on ``backend``; on the one that the config names, where that is None.
    """

    run: Run
    config: OrbisConfig
    grid: TimeGrid
    backend: MatchingBackend | None = None

    def measure(self, model: CogVideoXTransformer3DModel) -> dict[str, float]:
        """Figures by name; ``pairings`` of a match on average, where DATM or random dst match."""
        reference = unreduced(model, self.run, self.grid).found
        config = replace(self.config, seed=self.run.seed)
        matcher = make_matcher(config, self.backend)
        found = denoise(
            model,
            self.run.prompt,
            self.run.seed,
            self.grid,
            config=config,
            matcher=matcher,
            guidance=self.run.guidance,
            unreduced=reference,
        )
        figures = compare(found, reference)
        if not lpips.missing():
            figures["lpips"] = lpips.distance(found.video, reference.video)
        if isinstance(matcher, DatmMatcher) and matcher.calls:
            figures["pairings"] = matcher.iterations / matcher.calls
        return figures


@dataclass(frozen=True)
class StepAlone:
    """Measures the reduced steps, each from the state of the *unreduced* run.

    Errors neither add up nor cancel over the steps here: this is the error of matching alone.
    """

    run: Run
    config: OrbisConfig
    grid: TimeGrid

    @torch.no_grad()
    def measure(self, model: CogVideoXTransformer3DModel) -> float:
        """PSNR of the predictions, mean of dB over the reduced steps."""
        states = unreduced(model, self.run, self.grid).found.states
        text, times, found = self.run.prompt.tokens, self.grid.times, []
        # Full steps before the first match tell nothing.
        first = self.config.warmup(self.grid.steps) - 1
        kinds = self.config.full_steps(self.grid.steps)
        config = replace(self.config, warmup_steps=1, num_steps=None, seed=self.run.seed)
        with apply_orbis(model, config):
            for step in range(first, self.grid.steps):
                state, after = states[step : step + 2]
                predicted = predict(model, state, torch.tensor([times[step]]), text)
                if not kinds[step]:
                    share = (1 - times[step]) / (times[step + 1] - times[step])
                    found.append(psnr(predicted[0], (state + share * (after - state))[0]))
        return fmean(found)


def mean_and_error(values: list[float]) -> tuple[float, float | None]:
    """Mean over runs and its standard error, rounded for JSON; None of a single run's."""
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
    return round(fmean(values), 4), None if error is None else round(error, 4)


def mean_of(values: Sequence[float]) -> float:
    """Mean, rounded for JSON."""
    return round(fmean(values), 4)


def figures_over(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """What `WholeRun` measured, over runs: means, the error of PSNR's, and PSNR run by run."""
    psnrs = [row["psnr"] for row in rows]
    mean, error = mean_and_error(psnrs)
    others = {name: mean_of([row[name] for row in rows]) for name in rows[0] if name != "psnr"}
    return {
        "psnr": mean, "psnr_error": error, **others, "runs": [round(psnr, 3) for psnr in psnrs],
    }  # fmt: skip
