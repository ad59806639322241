from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, nn
from torch.nn import functional as F

from software.reduction import TokenReducer, apply_reduction, reduced_count

TEXT, VIDEO, LAYERS = 3, 2 * 4 * 4, 2


@dataclass
class Fixed:
    """A matcher with given pairs that keeps what it was shown."""

    src: list[int]
    dst: list[int]

    def __post_init__(self) -> None:
        self.seen: list[tuple[int, int, Tensor]] = []

    def __call__(self, tokens: Tensor, layer: int, step: int) -> Any:
        self.seen.append((layer, step, tokens))

        class Found:
            src, dst = (torch.tensor(rows, dtype=torch.int64) for rows in (self.src, self.dst))

        return Found()


def tiny_model(*, rotary: bool = False) -> CogVideoXTransformer3DModel:
    """Two layers of two heads of 16 channels, from a seed, not from the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CogVideoXTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, in_channels=3, out_channels=3,
            time_embed_dim=8, text_embed_dim=8, num_layers=LAYERS, sample_width=8,
            sample_height=8, sample_frames=2, patch_size=2, temporal_compression_ratio=1,
            max_text_seq_length=TEXT, use_rotary_positional_embeddings=rotary,
        )  # fmt: skip
    return model.eval().requires_grad_(False)


def run(model: CogVideoXTransformer3DModel, *, batch: int = 1, rotary: Any = None) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    video = torch.randn(batch, 2, 3, 8, 8, generator=generator)
    text = torch.randn(batch, TEXT, 8, generator=generator)
    times = torch.full((batch,), 300.0)
    found: Tensor = model(video, text, times, image_rotary_emb=rotary, return_dict=False)[0]
    return found


def angles() -> tuple[Tensor, Tensor]:
    phase = torch.arange(VIDEO)[:, None] * torch.linspace(0.1, 1, 8).repeat_interleave(2)
    return phase.cos(), phase.sin()


class NaiveAttention:
    """The definition, slowly: rows of Q, K and V deleted one by one, SDPA's rows copied back.

    In proportional attention a dst's rows of K and V stand once for each src, side by side.
    """

    def __init__(self, src: list[int], dst: list[int], proportional: bool) -> None:
        self.src, self.dst, self.proportional = src, dst, proportional

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: None = None,
        image_rotary_emb: Any = None,
    ) -> tuple[Tensor, Tensor]:
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)[0]
        kept = [t for t in range(len(tokens)) if t - TEXT not in self.src]
        parts = []
        for layer, norm in ((attn.to_q, attn.norm_q), (attn.to_k, attn.norm_k), (attn.to_v, None)):
            rows = layer(tokens).view(len(tokens), attn.heads, -1)
            rows = rows if norm is None else norm(rows)
            if image_rotary_emb is not None and norm is not None:
                turned = apply_rotary_emb(rows[TEXT:].transpose(0, 1)[None], image_rotary_emb)
                rows = torch.cat([rows[:TEXT], turned[0].transpose(0, 1)])
            again = [] if layer is attn.to_q or not self.proportional else self.dst
            parts.append(torch.stack([rows[t] for t in kept + [TEXT + t for t in again]], dim=1))
        query, key, value = parts
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1)
        full = torch.zeros(len(tokens), mixed.shape[1])
        full[kept] = mixed
        for src, dst in zip(self.src, self.dst, strict=True):
            full[TEXT + src] = full[TEXT + dst]
        out = attn.to_out[0](full)[None]
        return out[:, TEXT:], out[:, :TEXT]


@pytest.fixture
def model() -> CogVideoXTransformer3DModel:
    return tiny_model()


@pytest.fixture
def patched(model: CogVideoXTransformer3DModel) -> Iterator[TokenReducer]:
    with apply_reduction(model, Fixed([5, 9, 31], [4, 4, 0])) as reducer:
        yield reducer


def full_then_reduced(
    reducer: TokenReducer, model: CogVideoXTransformer3DModel, **options: Any
) -> tuple[Tensor, Tensor]:
    results = []
    for step, full in enumerate((True, False)):
        reducer.begin_step(step, full=full)
        results.append(run(model, **options))
        reducer.end_step()
    return results[0], results[1]


@pytest.mark.parametrize("proportional", [False, True])
@pytest.mark.parametrize("rotary", [False, True])
def test_full_steps_are_bit_identical_and_reduced_steps_follow_the_definition(
    rotary: bool, proportional: bool
) -> None:
    model, turned = tiny_model(rotary=rotary), angles() if rotary else None
    unpatched = run(model, rotary=turned)
    src, dst = [5, 9, 31], [4, 4, 0]
    with apply_reduction(model, Fixed(src, dst), proportional=proportional) as reducer:
        full, reduced = full_then_reduced(reducer, model, rotary=turned)
    assert torch.equal(full, unpatched)
    for block in model.transformer_blocks:
        block.attn1.set_processor(NaiveAttention(src, dst, proportional))
    torch.testing.assert_close(reduced, run(model, rotary=turned), atol=1e-5, rtol=1e-5)
    assert (reduced - unpatched).abs().max() > 1e-3


def test_dropping_exact_copies_changes_nothing_in_proportional_attention() -> None:
    attn = tiny_model().transformer_blocks[0].attn1
    generator = torch.Generator().manual_seed(2)
    text, video = (torch.randn(1, n, 32, generator=generator) for n in (TEXT, VIDEO))
    src, dst = [5, 9, 31], [4, 4, 0]
    video[:, src] = video[:, dst]
    expected = attn(video, encoder_hidden_states=text)
    results = {}
    for proportional in (True, False):
        block = nn.Module()
        block.attn1 = attn
        owner = nn.Module()
        owner.transformer_blocks = nn.ModuleList([block])
        matcher = Fixed(src, dst)
        with apply_reduction(owner, matcher, proportional=proportional) as reducer:
            for step, full in enumerate((True, False)):
                reducer.begin_step(step, full=full)
                results[proportional] = attn(video, encoder_hidden_states=text)
                reducer.end_step()
    for found, wanted in zip(results[True], expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
    assert (results[False][0] - expected[0]).abs().max() > 1e-3


def test_no_pairs_change_no_bit(model: CogVideoXTransformer3DModel) -> None:
    with apply_reduction(model, Fixed([], [])) as reducer:
        full, reduced = full_then_reduced(reducer, model)
    assert torch.equal(full, run(model))
    assert torch.equal(reduced, full)


def test_removal_restores_the_model_and_can_be_repeated(
    model: CogVideoXTransformer3DModel,
) -> None:
    before, processors = run(model), [b.attn1.processor for b in model.transformer_blocks]
    reducer = apply_reduction(model, Fixed([1], [0]))
    full_then_reduced(reducer, model)
    reducer.remove()
    reducer.remove()
    assert [b.attn1.processor for b in model.transformer_blocks] == processors
    assert torch.equal(run(model), before)


def test_the_guide_is_what_it_says(model: CogVideoXTransformer3DModel) -> None:
    inputs: dict[int, Tensor] = {}
    projected: dict[int, Tensor] = {}
    for number, block in enumerate(model.transformer_blocks):

        def keep_input(_: nn.Module, args: Any, kwargs: Any, number: int = number) -> None:
            inputs[number] = kwargs["hidden_states"][0]

        def keep_mixed(_: nn.Module, args: Any, number: int = number) -> None:
            projected[number] = args[0][0, TEXT:]

        block.attn1.register_forward_pre_hook(keep_input, with_kwargs=True)
        block.attn1.to_out[0].register_forward_pre_hook(keep_mixed)
    for guide, expected in (("input", inputs), ("output", projected)):
        matcher = Fixed([], [])
        with apply_reduction(model, matcher, guide=guide) as reducer:  # type: ignore[arg-type]
            reducer.begin_step(7, full=True)
            run(model)
        assert [(layer, step) for layer, step, _ in matcher.seen] == [(0, 7), (1, 7)]
        for layer, _, tokens in matcher.seen:
            assert tokens.shape == (VIDEO, 32)
            assert torch.equal(tokens, expected[layer])


def test_each_video_of_a_batch_has_its_own_pairs(model: CogVideoXTransformer3DModel) -> None:
    matcher = Fixed([5], [4])
    with apply_reduction(model, matcher) as reducer:
        _, both = full_then_reduced(reducer, model, batch=2)
        assert len(matcher.seen) == 2 * LAYERS
        reducer.begin_step(2, full=False)
        with pytest.raises(ValueError, match="batch holds 1 videos but pairs were matched for 2"):
            run(model)
    assert both.shape[0] == 2


def test_usage_counts_rows_of_both_kinds_of_step(
    model: CogVideoXTransformer3DModel, patched: TokenReducer
) -> None:
    full_then_reduced(patched, model)
    patched.begin_step(2, full=False)
    run(model)
    assert patched.usage.reduction_rc == pytest.approx(3 / VIDEO)
    assert patched.usage.reduction == pytest.approx(2 / 3 * 3 / VIDEO)
    assert patched.usage.attention_seconds > patched.usage.matching_seconds > 0


def test_nothing_is_ever_a_silent_no_op(
    model: CogVideoXTransformer3DModel, patched: TokenReducer
) -> None:
    with pytest.raises(RuntimeError, match="without begin_step"):
        run(model)
    with pytest.raises(ValueError, match="step 3 cannot be reduced: no full step"):
        patched.begin_step(3, full=False)
    patched.begin_step(0, full=True)
    with pytest.raises(RuntimeError, match="0 of 2 patched layers ran in step 0"):
        patched.end_step()
    with pytest.raises(ValueError, match="layer 0 has a ReducedAttention"):
        apply_reduction(model, Fixed([], []))
    with pytest.raises(ValueError, match="Linear has no transformer_blocks with attn1"):
        apply_reduction(nn.Linear(2, 2), Fixed([], []))
    with pytest.raises(ValueError, match="guide is 'queries'; it must be 'output' or 'input'"):
        apply_reduction(tiny_model(), Fixed([], []), guide="queries")  # type: ignore[arg-type]


def test_the_global_generator_is_left_alone(
    model: CogVideoXTransformer3DModel, patched: TokenReducer
) -> None:
    before = torch.random.get_rng_state()
    full_then_reduced(patched, model)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_number_of_reduced_tokens_follows_the_ratio() -> None:
    assert [reduced_count(ratio, 512, 128) for ratio in (0, 0.38, 0.75)] == [0, 195, 384]
    with pytest.raises(ValueError, match=r"ratio 0\.8 reduces 410 of 512 .* most 384 .*0\.75"):
        reduced_count(0.8, 512, 128)
    for ratio in (-0.1, 1.5):
        with pytest.raises(ValueError, match=rf"ratio is {ratio}; it must lie in 0\.\.1"):
            reduced_count(ratio, 512, 128)
