"""The denoising loop: Euler steps of the flow, full (FC) and reduced (RC) in turn.

The loop belongs to this project, so it counts the steps itself and tells the reducer which kind
each one is. The noise comes from a generator of its own; the global random state is never touched.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from software.model import velocity
from software.prompt import Prompt
from software.reduction import Guide, Matcher, Usage, apply_reduction

Progress = Callable[[int, int, bool], None]
"""``progress(steps_done, steps, full)``, called after each step."""


@dataclass(frozen=True)
class Schedule:
    """Which steps are full, and which of those match.

    Attributes:
        steps: Euler steps, at least 1.
        warm_up: steps at the start that are all full, at least 1; the video's layout is decided
            in them, and an error there moves the whole video, not its details.
        rc_steps: reduced steps that follow each full one; 0 makes every step full.
        spacing: exponent of the time grid ``(i / steps) ** spacing``; below 1, the noisy start is
            crossed in fewer, longer steps and the details get more.
    """

    steps: int = 50
    warm_up: int = 1
    rc_steps: int = 3
    spacing: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("warm_up", 1), ("rc_steps", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}.")
        if not self.spacing > 0:
            raise ValueError(f"spacing is {self.spacing}; it must be above 0.")

    @property
    def times(self) -> list[float]:
        """Times of the flow between the steps: steps + 1 of them, from 0 (noise) to 1 (video)."""
        return [(step / self.steps) ** self.spacing for step in range(self.steps + 1)]

    def __iter__(self) -> Iterator[bool]:
        """Yield, for each step in turn, whether it is full. The last warm-up step opens a group."""
        for step in range(self.steps):
            since = step - (self.warm_up - 1)
            yield since < 0 or since % (self.rc_steps + 1) == 0

    def matches(self, step: int) -> bool:
        """Whether a full step's pairs will be used: not where another full step follows.

        With ``rc_steps`` 0 every step matches, for measurements on the tokens of a whole run.
        """
        return step >= self.warm_up - 1 or self.rc_steps == 0


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
    """

    video: Tensor
    states: tuple[Tensor, ...]
    timing: Timing
    full_steps: int
    reduction: float
    reduction_rc: float


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
    schedule: Schedule,
    *,
    matcher: Matcher | None = None,
    guide: Guide = "output",
    proportional: bool = True,
    progress: Progress | None = None,
) -> Denoised:
    """Generate the video of a prompt and a seed.

    Args:
        model: see software.model; it is patched for the call and left as it was.
        prompt: what to show.
        seed: of the initial noise.
        schedule: number and kinds of steps. Without a matcher all are full.
        matcher: finds the pairs at full steps; None leaves the model alone.
        guide: what is matched, see software.reduction.
        proportional: whether a dst counts for all that it stands for, likewise.
        progress: called after each step.

    Raises:
        ValueError: what apply_reduction refuses.
    """
    text = prompt.tokens
    states = [initial_noise(model, seed)]
    begun = time.perf_counter()
    reducer = None
    if matcher is not None:
        reducer = apply_reduction(model, matcher, guide=guide, proportional=proportional)
    full_steps, times = 0, schedule.times
    with reducer or nullcontext():
        for step, planned in enumerate(schedule):
            full = planned or reducer is None
            full_steps += full
            if reducer:
                reducer.begin_step(step, full=full, match=schedule.matches(step))
            now, then = times[step : step + 2]
            state = states[-1]
            slope = velocity(model, state, torch.tensor([now]), text)
            states.append(state + (then - now) * slope)
            if reducer:
                reducer.end_step()
            if progress:
                progress(step + 1, schedule.steps, full)
    usage = reducer.usage if reducer else Usage()
    timing = Timing(time.perf_counter() - begun, usage.attention_seconds, usage.matching_seconds)
    return Denoised(
        video=states[-1][0].clamp(-1, 1),
        states=tuple(states),
        timing=timing,
        full_steps=full_steps,
        reduction=usage.reduction,
        reduction_rc=usage.reduction_rc,
    )
