"""The denoising loop: Euler steps of the flow, full and reduced ones as the config says.

The noise comes from a generator of its own; the global random state is never touched.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from software.demo.model import velocity
from software.demo.prompt import Guidance, Prompt
from software.library.config import OrbisConfig
from software.library.matchers import Matcher, MatchRequest, make_matcher
from software.library.reduction import Usage, apply_orbis

Progress = Callable[[int, int, bool], None]
"""``progress(steps_done, steps, full)``, called after each step."""


@dataclass(frozen=True)
class TimeGrid:
    """Where the steps of a run lie in time.

    Attributes:
        steps: Euler steps, at least 1.
        spacing: exponent of the grid ``(i / steps) ** spacing``; below 1, the noisy start is
            crossed in fewer, longer steps and the details get more.
    """

    steps: int = 50
    spacing: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; it must be at least 1.")
        if not self.spacing > 0:
            raise ValueError(f"spacing is {self.spacing}; it must be above 0.")

    @property
    def times(self) -> list[float]:
        """Times of the flow between the steps: steps + 1 of them, from 0 (noise) to 1 (video)."""
        return [(step / self.steps) ** self.spacing for step in range(self.steps + 1)]


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of a run, by phase; attention is the attention layers less matching."""

    total: float
    attention: float
    matching: float

    @property
    def other(self) -> float:
        """Everything outside the attention layers."""
        return self.total - self.attention - self.matching


@dataclass(frozen=True)
class Denoised:
    """One generated video.

    Attributes:
        video: float32 [F, 3, H, W] in -1..1.
        states: the flow's state, float32 [1, F, 3, H, W], before each step and after the last.
        timing: seconds by phase. Attention and matching are 0 where nothing was patched.
        full_steps: number of full steps.
        reduction: share of video-token rows dropped over all steps.
        reduction_rc: the same over the reduced steps alone.
        kept_bytes: the most that was kept from step to step for reduced ones.
    """

    video: Tensor
    states: tuple[Tensor, ...]
    timing: Timing
    full_steps: int
    reduction: float
    reduction_rc: float
    kept_bytes: int


def initial_noise(model: CogVideoXTransformer3DModel, seed: int) -> Tensor:
    """Noise that a seed stands for: float32 [1, F, 3, H, W]."""
    config = model.config
    frames = (config.sample_frames - 1) // config.temporal_compression_ratio + 1
    shape = (1, frames, config.in_channels, config.sample_height, config.sample_width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def denoise(
    model: CogVideoXTransformer3DModel,
    prompt: Prompt,
    seed: int,
    grid: TimeGrid,
    *,
    config: OrbisConfig | None = None,
    matcher: Matcher | None = None,
    guidance: Guidance | None = None,
    unreduced: Denoised | None = None,
    progress: Progress | None = None,
) -> Denoised:
    """Generate the video of a prompt and a seed.

    Args:
        model: see software.demo.model; it is patched for the call and left as it was.
        prompt: what to show.
        seed: of the initial noise.
        grid: number and times of the steps.
        config: token reduction; None leaves the model alone.
        matcher: matches instead of the one that the config names.
        guidance: away from another prompt; both are one batch.
        unreduced: the run of the same model, prompt, guidance, seed and grid without reduction: its
            warm-up steps before the first match are taken over, which changes no bit of the result.
        progress: called after each step.

    Raises:
        ValueError: what apply_orbis refuses.
    """
    times = grid.times
    states = [initial_noise(model, seed)]
    kinds, applied, first = [True] * grid.steps, None, 0
    begun = time.perf_counter()
    if config is not None:
        config = replace(config, num_steps=grid.steps)
        kinds = config.full_steps(grid.steps)
        warmup = min(config.warmup(grid.steps), grid.steps)
        if unreduced is not None:
            first = warmup - 1
            states = list(unreduced.states[: first + 1])
            matcher = _counting_from(first, matcher or make_matcher(config))
        later = replace(config, num_steps=grid.steps - first, warmup_steps=warmup - first)
        applied = apply_orbis(model, later, matcher=matcher)
    with applied or nullcontext():
        for step, full in enumerate(kinds[first:], first):
            now, then = times[step : step + 2]
            state = states[-1]
            slope = _slope(model, state, now, prompt, guidance)
            states.append(state + (then - now) * slope)
            if progress:
                progress(step + 1, grid.steps, full)
        usage = applied.usage if applied else Usage()
    timing = Timing(time.perf_counter() - begun, usage.attention_seconds, usage.matching_seconds)
    return Denoised(
        video=states[-1][0].clamp(-1, 1),
        states=tuple(states),
        timing=timing,
        full_steps=first + usage.full_calls if applied else grid.steps,
        reduction=usage.reduction * (grid.steps - first) / grid.steps,  # steps are alike in rows
        reduction_rc=usage.reduction_rc,
        kept_bytes=usage.kept_bytes,
    )


def _slope(
    model: CogVideoXTransformer3DModel,
    state: Tensor,
    now: float,
    prompt: Prompt,
    guidance: Guidance | None,
) -> Tensor:
    """Velocity of one state at a time."""
    if guidance is None:
        return velocity(model, state, torch.tensor([now]), prompt.tokens)
    text = torch.cat([guidance.against.tokens, prompt.tokens])
    both = velocity(model, state.expand(2, *state.shape[1:]), torch.tensor([now, now]), text)
    away, towards = both.split(1)  # type: ignore[no-untyped-call]
    slope: Tensor = away + guidance.scale * (towards - away)
    return slope


def _counting_from(first: int, matcher: Matcher) -> Matcher:
    """A matcher for a run that begins at a step: what it draws is what it draws in a whole run."""

    def match(shown: Any, request: MatchRequest) -> Any:
        return matcher(shown, replace(request, step=request.step + first))

    return match
