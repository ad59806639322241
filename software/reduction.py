"""Token-reduced attention for the CogVideoX blocks of diffusers.

    reducer = apply_reduction(model, matcher)     # on
    reducer.begin_step(0, full=True)              # before each call of the model
    model(...)
    reducer.end_step()
    reducer.remove()                              # off, the model is as it was

A full step (FC) runs every layer whole and asks the matcher for pairs of the layer's video tokens;
a reduced step (RC) drops each pair's src before attention and copies its dst's result to it after.
Only index pairs outlive a step. Text tokens come first in CogVideoX and are never touched.

A dropped src no longer draws attention to what it shared with its dst, so plain dropping turns all
attention away from just the tokens that are most alike. *Proportional* attention, the default,
counts each dst's key once for itself and once for each of its src: dropping exact copies then
changes nothing at all. docs/quality.md shows what it is worth.

Source: design section 3, 'Reduce / restore', and section 1 (output-guided matching); proportional
attention is ToMe's (Bolya et al., section 3).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, cast

import torch
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, nn
from torch.nn import functional as F

from golden import Reduction

Guide = Literal["output", "input"]
Rotary = tuple[Tensor, Tensor]


class Pairs(Protocol):
    """Index pairs of one layer; whatever else a matcher reports rides along unseen."""

    @property
    def src(self) -> Tensor:
        """int64 [K], the video tokens to drop."""

    @property
    def dst(self) -> Tensor:
        """int64 [K], the video token whose result each src copies."""


Matcher = Callable[[Tensor, int, int], Pairs]
"""``matcher(tokens, layer, step)``: pairs of float32 [N, D] video tokens. Asked at full steps."""


def reduced_count(ratio: float, num_tokens: int, num_dst: int) -> int:
    """K for a reduction ratio: ``round(ratio N)``.

    Raises:
        ValueError: ratio outside 0..1, or more src than M dst leave.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio is {ratio}; it must lie in 0..1.")
    count = round(ratio * num_tokens)
    if count > num_tokens - num_dst:
        raise ValueError(
            f"ratio {ratio} reduces {count} of {num_tokens} tokens, but with {num_dst} dst tokens "
            f"at most {num_tokens - num_dst} can be reduced "
            f"(ratio {(num_tokens - num_dst) / num_tokens:.4g})."
        )
    return count


@dataclass
class Usage:
    """Totals since patching: rows are video-token rows summed over layers and batch."""

    rows_full: int = 0
    rows_reduced_steps: int = 0
    rows_dropped: int = 0
    attention_seconds: float = 0.0
    matching_seconds: float = 0.0

    @property
    def reduction(self) -> float:
        """Share of rows dropped over all steps."""
        rows = self.rows_full + self.rows_reduced_steps
        return self.rows_dropped / rows if rows else 0.0

    @property
    def reduction_rc(self) -> float:
        """Share of rows dropped over the reduced steps alone."""
        return self.rows_dropped / self.rows_reduced_steps if self.rows_reduced_steps else 0.0


class TokenReducer:
    """The state that the patched layers share: the kind of step, and each layer's pairs.

    Also a context manager that unpatches on leaving. Made by ``apply_reduction``.
    """

    def __init__(
        self, layers: list[nn.Module], matcher: Matcher, guide: Guide, proportional: bool
    ) -> None:
        self.matcher, self.guide, self.proportional = matcher, guide, proportional
        self.usage = Usage()
        self.pairs: list[list[Pairs]] = [[] for _ in layers]
        """Per layer, the latest pairs of each video of the batch."""
        self.full: bool | None = None
        self.match = False
        self.step = -1
        self._calls = 0
        self._layers = layers
        self._originals = [cast(Any, attn).processor for attn in layers]
        for number, attn in enumerate(layers):
            cast(Any, attn).set_processor(ReducedAttention(self, number))

    def begin_step(self, step: int, *, full: bool, match: bool = True) -> None:
        """Declare the next call of the model: a full step, or one that reuses the last pairs.

        Args:
            step: its number, for the matcher and for messages.
            full: run every layer whole.
            match: ask the matcher at a full step; False where another full step follows, which
                would overwrite the pairs unused.
        """
        if not full and not all(self.pairs):
            raise ValueError(f"step {step} cannot be reduced: no full step has matched before it.")
        self.step, self.full, self.match, self._calls = step, full, match, 0

    def end_step(self) -> None:
        """Check that every patched layer ran once since ``begin_step``: a no-op is an error."""
        if self._calls != len(self._layers):
            raise RuntimeError(
                f"{self._calls} of {len(self._layers)} patched layers ran in step {self.step}; "
                "each must run exactly once."
            )
        self.full = None

    def count_call(self) -> None:
        """Note that a layer ran."""
        self._calls += 1

    def remove(self) -> None:
        """Give every layer its own processor back; doing so twice is harmless."""
        for attn, original in zip(self._layers, self._originals, strict=True):
            cast(Any, attn).set_processor(original)

    def __enter__(self) -> "TokenReducer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


def apply_reduction(
    model: nn.Module, matcher: Matcher, *, guide: Guide = "output", proportional: bool = True
) -> TokenReducer:
    """Patch the attention of every CogVideoX block of ``model``.

    Args:
        model: a ``CogVideoXTransformer3DModel``.
        matcher: finds the pairs at full steps.
        guide: what is matched: each layer's SDPA output (heads concatenated, before the output
            projection) or its input (what the attention layer receives).
        proportional: count a dst's key once for each token that it stands for; False drops the
            src rows of Q, K and V and nothing else.

    Raises:
        ValueError: an unknown guide, or attention layers that are missing, patched already, or of
            a kind that this module does not know.
    """
    if guide not in ("output", "input"):
        raise ValueError(f"guide is {guide!r}; it must be 'output' or 'input'.")
    blocks = getattr(model, "transformer_blocks", [])
    layers = [block.attn1 for block in blocks if hasattr(block, "attn1")]
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no transformer_blocks with attn1; nothing can be patched."
        )
    for number, attn in enumerate(layers):
        if type(attn.processor) is not CogVideoXAttnProcessor2_0:
            raise ValueError(
                f"layer {number} has a {type(attn.processor).__name__}; only layers with a "
                "CogVideoXAttnProcessor2_0 can be patched."
            )
    return TokenReducer(layers, matcher, guide, proportional)


class ReducedAttention:
    """Attention processor of one layer, in the place of ``CogVideoXAttnProcessor2_0``.

    At a full step it computes what that processor computes, to the bit.
    """

    def __init__(self, reducer: TokenReducer, layer: int) -> None:
        self.reducer, self.layer = reducer, layer

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend over text [B, T, D] and video [B, N, D]; returns (video, text) results."""
        reducer = self.reducer
        if reducer.full is None:
            raise RuntimeError("the patched model was called without begin_step.")
        if attention_mask is not None:
            raise ValueError("attention_mask is given; token-reduced attention takes none.")
        reducer.count_call()
        begun = time.perf_counter()
        text = encoder_hidden_states.shape[1]
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        matching = 0.0
        if reducer.full:
            mixed = attend(attn, tokens, text, image_rotary_emb)
            if reducer.match:
                matching = self._match(
                    mixed[:, text:] if reducer.guide == "output" else hidden_states
                )
            out = project(attn, mixed)
            reducer.usage.rows_full += hidden_states.shape[0] * hidden_states.shape[1]
        else:
            out = self._reduced(attn, tokens, text, image_rotary_emb)
        reducer.usage.matching_seconds += matching
        reducer.usage.attention_seconds += time.perf_counter() - begun - matching
        return out[:, text:], out[:, :text]

    def _match(self, guide: Tensor) -> float:
        """Store the pairs of each video of the batch; returns the seconds spent."""
        begun = time.perf_counter()
        reducer = self.reducer
        reducer.pairs[self.layer] = [
            reducer.matcher(video.detach().float(), self.layer, reducer.step) for video in guide
        ]
        return time.perf_counter() - begun

    def _reduced(
        self,
        attn: Any,
        tokens: Tensor,
        text: int,
        rotary: Rotary | None,
    ) -> Tensor:
        """Attend without the src rows, each video of the batch with its own pairs.

        The projections around SDPA act on each row alone, so dropping rows before the first and
        copying them after the last equals dropping them from Q, K and V and copying SDPA's output,
        and saves the projections of the dropped rows too.
        """
        num_video = tokens.shape[1] - text
        pairs = self.reducer.pairs[self.layer]
        if len(pairs) != len(tokens):
            raise ValueError(
                f"the batch holds {len(tokens)} videos but pairs were matched for {len(pairs)}."
            )
        results = []
        for video, pair in zip(tokens, pairs, strict=True):
            plan = Reduction.of(num_video, pair.src, pair.dst, before=text)
            kept = plan.kept[text:] - text
            near = None if rotary is None else (rotary[0][kept], rotary[1][kept])
            bias = key_bias(plan) if self.reducer.proportional and len(pair.src) else None
            mixed = attend(attn, plan.reduce(video)[None], text, near, bias)
            results.append(plan.restore(project(attn, mixed)[0]))
            self.reducer.usage.rows_dropped += len(pair.src)
            self.reducer.usage.rows_reduced_steps += num_video
        return torch.stack(results)


def heads(rows: Tensor, count: int) -> Tensor:
    """Split channels into heads: [B, T + N, D] to [B, count, T + N, D / count]."""
    return rows.view(*rows.shape[:-1], count, -1).transpose(1, 2)


def key_bias(plan: Reduction) -> Tensor:
    """What makes a key that stands for n tokens weigh as n keys, added to the scores of the kept.

    ``log n``, float32 [1, 1, 1, kept rows]: softmax then gives the key n times its share.
    """
    return plan.copies.float().log()[None, None, None]


def attend(
    attn: Any, tokens: Tensor, text: int, rotary: Rotary | None, bias: Tensor | None = None
) -> Tensor:
    """SDPA output with the heads concatenated, [B, T + N, D], before the output projection.

    ``bias`` is added to the scores.
    """
    query, key, value = (heads(p(tokens), attn.heads) for p in (attn.to_q, attn.to_k, attn.to_v))
    query = query if attn.norm_q is None else attn.norm_q(query)
    key = key if attn.norm_k is None else attn.norm_k(key)
    if rotary is not None:
        query[:, :, text:] = apply_rotary_emb(query[:, :, text:], rotary)
        key[:, :, text:] = apply_rotary_emb(key[:, :, text:], rotary)
    bias = None if bias is None else bias.to(query.dtype)
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return mixed.transpose(1, 2).flatten(2)


def project(attn: Any, mixed: Tensor) -> Tensor:
    """Output projection (and the dropout that is inactive in eval mode)."""
    for layer in attn.to_out:
        mixed = layer(mixed)
    return mixed
