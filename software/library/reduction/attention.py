"""The attention processor that takes the place of a layer's own.

At a full step it calls the layer's own processor and lets the matcher see what it asks for; at a
reduced step it attends over the rows that the layer's last match leaves, each video's own, or gives
what was kept of the full step.

Source: docs/definition.md, 'Steps', 'Reduce and restore', 'Rivals' and 'Proportional attention',
which is ToMe's (Bolya et al., section 3).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from software.library.config import Guide
from software.library.families import AttentionCall, Family, merge_heads
from software.library.reduction.layer_rows import LayerRows
from software.library.reduction.rows import Rows

left_out_of_compile: Callable[[Any], Any] = torch.compiler.disable(  # type: ignore[no-untyped-call]
    reason="token reduction depends on the step and on the tokens; compile without fullgraph"
)
"""Decorates what ``torch.compile`` must call as it is."""
Shown = Tensor | tuple[Tensor, Tensor]
"""What a matcher sees of a video: float32 [N, D], or Q and V, each [H, N, d]."""


@dataclass(frozen=True)
class Seen:
    """What a full step that matches has to show.

    Attributes:
        result: what the layer returns.
        video: the video's part of it, [B, N, C].
        mixed: SDPA's output of the video rows, heads concatenated, [B, N, D].
        shown: of each video, what the guide names.
    """

    result: Any
    video: Tensor
    mixed: Tensor
    shown: list[Shown]


class Steps(Protocol):
    """What a layer asks of the hook on its transformer (software.library.reduction.hook)."""

    guide: Guide
    proportional: bool
    shows: bool
    """Whether the matcher is shown anything."""

    @property
    def attached(self) -> bool:
        """Whether it watches a transformer; layers that are left with its processors are free."""

    def rows(self, layer: int, num_tokens: int) -> LayerRows | None:
        """The rows of videos of N tokens at this call; None if it is full."""

    def cached(self, layer: int) -> Any:
        """The result that stands for the layer's at this call; None if the layer is to run."""

    def match(self, layer: int, seen: Seen) -> float:
        """Match each video's tokens, for the steps to come; returns the seconds spent."""

    @property
    def matching(self) -> bool:
        """Whether this step's layers are to be shown to the matcher."""

    def note(self, layer: int, rows: int, dropped: int, seconds: float) -> None:
        """Count that a layer ran: video rows, those dropped, and the seconds without matching."""


class ReducedAttention:
    """Attention processor of one layer. ``original`` is the layer's own, and comes back at the end.

    ``torch.compile`` leaves it out: what it does depends on the step, and matching on the tokens.
    """

    def __init__(self, steps: Steps, family: Family, layer: int, original: Any) -> None:
        self.steps, self.family, self.layer, self.original = steps, family, layer, original

    # Diffusers sets these two on whichever processor has them.
    @property
    def _attention_backend(self) -> Any:
        return self.original._attention_backend

    @_attention_backend.setter
    def _attention_backend(self, backend: Any) -> None:
        self.original._attention_backend = backend

    @property
    def _parallel_config(self) -> Any:
        return self.original._parallel_config

    @_parallel_config.setter
    def _parallel_config(self, config: Any) -> None:
        raise ValueError(
            "the attention layers are patched by token reduction, which does not support tokens "
            "that are split over devices: remove_orbis first."
        )

    @left_out_of_compile
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> Any:
        """Attend; arguments and results are those of the layer's own processor."""
        begun, matching = time.perf_counter(), 0.0
        call = AttentionCall(hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        if not self.steps.attached:
            return self._original(attn, call)
        batch, tokens = hidden_states.shape[:2]
        rows = self.steps.rows(self.layer, tokens)
        dropped = batch * rows.dropped if rows else 0
        cached = self.steps.cached(self.layer)
        if cached is not None:
            found, dropped = cached, batch * tokens
        elif rows and dropped:
            found = self._reduced(attn, call, rows)
        elif self.steps.matching:
            seen = self._watched(attn, call)
            found, matching = seen.result, self.steps.match(self.layer, seen)
        else:
            found = self._original(attn, call)
        seconds = time.perf_counter() - begun - matching
        self.steps.note(self.layer, batch * tokens, dropped, seconds)
        return found

    def _original(self, attn: Any, call: AttentionCall) -> Any:
        return self.original(attn, call.video, call.text, call.mask, call.rotary)

    def _watched(self, attn: Any, call: AttentionCall) -> Seen:
        """The layer's own result, and what comes with it."""
        module = self.family.watched(attn)
        with _inputs_of(module) as given:
            found = self._original(attn, call)
        video = found if call.text is None else found[0]
        mixed = video if module is None else self.family.video_rows(given[0], call)
        video, mixed = video.detach(), mixed.detach()
        shown = self._shown(attn, call, mixed) if self.steps.shows else []
        return Seen(found, video, mixed, shown)

    def _shown(self, attn: Any, call: AttentionCall, mixed: Tensor) -> list[Shown]:
        """What the matcher wants to see of each video."""
        family, guide = self.family, self.steps.guide
        if guide != "query_value":
            return [tokens.detach().float() for tokens in (mixed if guide == "output" else
                                                           call.video)]  # fmt: skip
        angles = None if call.rotary is None else family.angles(call.rotary, None)
        query = family.query(attn, call.video, angles).detach().float()
        value = family.value(attn, call.video).detach().float()
        return list(zip(query, value, strict=True))

    def _reduced(self, attn: Any, call: AttentionCall, rows: LayerRows) -> Any:
        """The layer's result from fewer rows."""
        family, query_rows, key_rows = self.family, rows.query, rows.key_value
        video = (
            self._turned(family.query, attn, call, query_rows),
            self._turned(family.key, attn, call, key_rows),
            key_rows.take_heads(family.value(attn, key_rows.take(call.video))),
        )
        query, key, value = video
        if call.text is not None:
            query, key, value = map(self._join, video, family.text_qkv(attn, call.text))
        mask = self._mask(call, key_rows, query.dtype)
        mixed = family.sdpa(self.original, query, key, value, mask)
        kept, text = self._split(mixed, video[0].shape[-2], -2)
        restored = merge_heads(query_rows.restore_heads(kept))
        out = query_rows.restore(family.video_out(attn, restored))
        if call.text is None:
            return family.result(out, None)
        return family.result(out, family.text_out(attn, merge_heads(text), call))

    def _turned(self, project: Any, attn: Any, call: AttentionCall, rows: Rows) -> Tensor:
        """Q or K of the video rows that are kept, [B, H, S, d]."""
        angles = None if call.rotary is None else self.family.angles(call.rotary, rows.index)
        return rows.take_heads(project(attn, rows.take(call.video), angles))

    def _mask(self, call: AttentionCall, rows: Rows, dtype: torch.dtype) -> Tensor | None:
        """What SDPA is given: the model's mask over the keys that are kept, and their bias."""
        mask = self.family.key_mask(call)
        if mask is not None:
            video, text = self._split(mask, call.video.shape[1], -1)
            video = rows.take_mask(video)
            mask = self._join(video, text.expand(-1, video.shape[1], -1, -1), -1)
        bias = rows.bias if self.steps.proportional else None
        if bias is None:
            return mask
        text = bias.new_zeros(*bias.shape[:-1], call.text_tokens)
        bias = self._join(bias, text, -1).to(dtype)
        return bias if mask is None else torch.where(mask, bias, float("-inf"))

    def _join(self, video: Tensor, text: Tensor, dim: int = -2) -> Tensor:
        parts = [text, video] if self.family.text_first else [video, text]
        return torch.cat(parts, dim=dim)

    def _split(self, joint: Tensor, video: int, dim: int) -> tuple[Tensor, Tensor]:
        """The video's part and the text's."""
        text = joint.shape[dim] - video
        if self.family.text_first:
            first, second = torch.split(joint, [text, video], dim)
            return second, first
        first, second = torch.split(joint, [video, text], dim)
        return first, second


def own_processor(attn: Any) -> Any:
    """A layer's own processor; a patch that was removed may have left its own around it."""
    processor = attn.processor
    while isinstance(processor, ReducedAttention) and not processor.steps.attached:
        processor = processor.original
    return processor


@contextmanager
def _inputs_of(module: nn.Module | None) -> Iterator[list[Tensor]]:
    """Yield a list that gets the first argument of each call of a module by this thread."""
    seen: list[Tensor] = []
    if module is None:
        yield seen
        return
    thread = threading.get_ident()

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        if threading.get_ident() == thread:
            seen.append(given[0])

    handle = module.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
