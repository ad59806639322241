"""What an unreduced run's attention layers are given and give, step by step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from software.demo.diffusion import Denoised, TimeGrid, denoise
from software.demo.prompt import Guidance, Prompt
from software.library.families import AttentionCall, CogVideoX

Tokens = dict[tuple[int, int], Tensor]
"""float32 [N, D] by (step, layer)."""


@dataclass
class Recorded:
    """Video tokens of one run, of the batch's first video.

    Attributes:
        inputs: what each attention layer receives.
        outputs: its SDPA output, heads concatenated, before the output projection.
    """

    inputs: Tokens = field(default_factory=dict)
    outputs: Tokens = field(default_factory=dict)


@contextmanager
def recording(model: CogVideoXTransformer3DModel) -> Iterator[Recorded]:
    """Record every call of a model; its results are not changed.

    Args:
        model: of the CogVideoX family, see software.demo.model.
    """
    family, found = CogVideoX(), Recorded()
    handles = []
    for layer, attn in enumerate(family.attentions(model).values()):
        entered, left = count(), count()

        def keep_input(
            _: Any, args: Any, kwargs: Any, layer: int = layer, steps: Iterator[int] = entered
        ) -> None:
            found.inputs[next(steps), layer] = kwargs["hidden_states"][0].detach().float().clone()

        def keep_output(_: Any, args: Any, layer: int = layer, steps: Iterator[int] = left) -> None:
            text = args[0].shape[1] - len(found.inputs[0, layer])
            call = AttentionCall(args[0][:, text:], args[0][:, :text])
            rows = family.video_rows(args[0], call)
            found.outputs[next(steps), layer] = rows[0].detach().float().clone()

        handles.append(attn.register_forward_pre_hook(keep_input, with_kwargs=True))
        watched = family.watched(attn)
        assert watched is not None
        handles.append(watched.register_forward_pre_hook(keep_output))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def record_run(
    model: CogVideoXTransformer3DModel,
    prompt: Prompt,
    seed: int,
    grid: TimeGrid,
    *,
    guidance: Guidance | None = None,
) -> tuple[Denoised, Recorded]:
    """An unreduced run, and every layer's tokens at every step."""
    with recording(model) as found:
        return denoise(model, prompt, seed, grid, guidance=guidance), found
