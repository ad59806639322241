"""Which pipeline a transformer's call comes from, and what it tells of the run.

Nothing that a transformer is given names the pipeline that calls it, and several may share one
transformer: text-to-video beside video-to-video, a preview inside a callback. But the pipeline is
on the stack of calls.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from torch import nn

NAMES = ("transformer", "transformer_2")
"""Attributes of a pipeline that hold transformers; Wan 2.2 has two."""


def bare(model: Any) -> Any:
    """A model without what ``torch.compile`` puts around it."""
    return getattr(model, "_orig_mod", model)


def transformers(pipe: Any) -> dict[str, nn.Module]:
    """The transformers of a pipeline, by their names in it."""
    held = vars(pipe) if hasattr(pipe, "__dict__") else {}
    found = {name: bare(held.get(name)) for name in NAMES}
    return {name: model for name, model in found.items() if isinstance(model, nn.Module)}


def calls_of_pipelines(model: nn.Module) -> Iterator[tuple[Any, CodeType]]:
    """The calls of pipelines that this thread is in, the innermost first: each and its code.

    A pipeline holds ``model`` and a scheduler, and is called by any method of its own. There is
    none in a loop of one's own.
    """
    for frame in _frames(sys._getframe(1)):
        code = frame.f_code
        if code.co_argcount and code.co_varnames[0] == "self":
            owner = frame.f_locals.get("self")
            held = transformers(owner).values()
            if any(each is model for each in held) and "scheduler" in vars(owner):
                yield owner, code


def calling_pipeline(model: nn.Module) -> Any:
    """The innermost of them, None outside of one."""
    return next((pipe for pipe, _ in calls_of_pipelines(model)), None)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


@dataclass(frozen=True)
class Told:
    """What a pipeline tells of the run that it is in.

    Attributes:
        steps: steps of the run, None if unknown.
        mark: an object that is another one in each run, None if there is none.
        scheduler_step: what counts up with each step of the scheduler, None if nothing does.
    """

    steps: int | None = None
    mark: object = None
    scheduler_step: int | None = None

    @classmethod
    def by(cls, pipe: Any) -> "Told":
        """What a pipeline of diffusers, or what is like one, tells; nothing without one."""
        scheduler = getattr(pipe, "scheduler", None)
        return cls(
            getattr(pipe, "num_timesteps", None),
            getattr(scheduler, "timesteps", None),
            getattr(scheduler, "step_index", None),
        )
