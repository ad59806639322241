"""Token reduction in diffusers' own pipelines, and the script in docs/ that shows it."""

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXPipeline
from diffusers import CogVideoXTransformer3DModel as Transformer
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from software.library.config import OrbisConfig
from software.library.matchers import MatchRequest, make_matcher
from software.library.reduction import apply_orbis, orbis_summary, remove_orbis
from software.tests.library.tiny_guided import GUIDED
from software.tests.library.tiny_pipelines import PIPELINES, STEPS, wan_pipeline

CONFIG = OrbisConfig(warmup_steps=2, last_full_steps=1)
SCRIPT = Path(__file__).parents[3] / "docs" / "reduce_tokens.py"


@pytest.mark.parametrize(
    ("name", "guided"),
    [*product(PIPELINES, (False, True)), *((name, True) for name in GUIDED)],
)
def test_a_pipeline_runs_reduced_as_often_as_it_is_called(name: str, guided: bool) -> None:
    tiny = (PIPELINES | GUIDED)[name]
    pipe = tiny.pipe()
    plain = tiny.run(pipe, guided=guided)
    apply_orbis(pipe, CONFIG)
    first, second = tiny.run(pipe, guided=guided), tiny.run(pipe, guided=guided)
    usage = orbis_summary(pipe).usage
    remove_orbis(pipe)
    assert torch.equal(first, second)
    assert torch.isfinite(first).all()
    assert not torch.equal(first, plain)
    kinds = CONFIG.full_steps(STEPS)
    calls = 2 * (tiny.passes if guided else 1)
    assert usage.full_calls == calls * kinds.count(True)
    assert usage.reduced_calls == calls * kinds.count(False)
    assert torch.equal(tiny.run(pipe, guided=guided), plain)
    with apply_orbis(pipe, OrbisConfig(ratio=0.0, warmup_steps=1)):
        assert torch.equal(tiny.run(pipe, guided=guided), plain)


@pytest.mark.parametrize("lag", [1, 3])
def test_frames_that_lag_behind_each_other_take_steps_together(lag: int) -> None:
    """Diffusion forcing: a call's latest time stands still while the first frames are ahead."""
    tiny = GUIDED["skyreels-v2-forcing"]
    pipe = tiny.pipe()
    with apply_orbis(pipe, CONFIG) as applied:
        tiny.run(pipe, guided=True, ar_step=lag, causal_block_size=1)
    assert pipe.num_timesteps == STEPS + 2 * lag
    kinds = CONFIG.full_steps(pipe.num_timesteps)
    assert applied.usage.full_calls == 2 * kinds.count(True)
    assert applied.usage.reduced_calls == 2 * kinds.count(False)


def test_causal_blocks_of_frames_are_refused_before_a_step_is_spent() -> None:
    tiny = GUIDED["skyreels-v2-forcing"]
    pipe = tiny.pipe()
    with (
        apply_orbis(pipe, CONFIG) as applied,
        pytest.raises(ValueError, match=r"causally over blocks of 3 frames, .* must be 1\."),
    ):
        tiny.run(pipe, guided=True, ar_step=1, causal_block_size=3)
    assert applied.usage.full_calls == 0


@pytest.mark.parametrize("last", [0, 3, 5])  # after the first step, a reduced one, a full one
def test_a_run_that_was_interrupted_does_not_disturb_the_next(last: int) -> None:
    tiny = PIPELINES["cogvideox"]
    pipe = tiny.pipe()

    def stop(pipe: object, step: int, *_: object) -> dict[str, object]:
        if step == last:
            raise KeyboardInterrupt
        return {}

    with apply_orbis(pipe, CONFIG):
        expected = tiny.run(pipe, guided=True)
        with pytest.raises(KeyboardInterrupt):
            tiny.run(pipe, guided=True, callback_on_step_end=stop)
        assert torch.equal(tiny.run(pipe, guided=True), expected)


@pytest.mark.parametrize("guided", [False, True])
def test_two_experts_of_one_run_share_its_steps(guided: bool) -> None:
    tiny = replace(PIPELINES["wan"], make=lambda: wan_pipeline(experts=2))
    pipe = tiny.pipe()
    seen: list[tuple[int, int]] = []

    def noting(shown: object, request: MatchRequest) -> object:
        seen.append((request.step, request.layer))
        return make_matcher(CONFIG)(shown, request)

    with apply_orbis(pipe, CONFIG, matcher=noting) as applied:
        tiny.run(pipe, guided=guided)
        hooks = [model._orbis for model in (pipe.transformer, pipe.transformer_2)]
        calls = [hook.usage.full_calls + hook.usage.reduced_calls for hook in hooks]
    plain = tiny.run(tiny.pipe(), guided=guided)
    apply_orbis(pipe, CONFIG)
    remove_orbis(pipe)
    assert torch.equal(tiny.run(pipe, guided=guided), plain)
    passes = 2 if guided else 1
    first = calls[0] // passes
    assert 2 < first < STEPS - 2
    assert sum(calls) == passes * STEPS
    # The second expert begins with a match of its own, and the run's end is its last step's.
    steps = sorted({step for step, _ in seen})
    assert steps[0] == 1
    assert first in steps
    # Full: two to warm up, the sixth if the first expert gets there, the second's first, the last.
    assert applied.usage.full_calls == passes * (2 + (first > 5) + 1 + 1)


@pytest.mark.parametrize("offload_first", [False, True])
def test_offloading_may_be_turned_on_before_or_after(offload_first: bool) -> None:
    tiny = PIPELINES["wan"]
    pipe, plain = tiny.pipe(), tiny.pipe()
    unreduced = tiny.run(plain, guided=True)
    with apply_orbis(plain, CONFIG):
        expected = tiny.run(plain, guided=True)
    if offload_first:
        pipe.enable_model_cpu_offload(device="cpu")
    apply_orbis(pipe, CONFIG)
    if not offload_first:
        pipe.enable_model_cpu_offload(device="cpu")
    for _ in range(2):  # a pipeline's end turns offloading off and on again
        assert torch.equal(tiny.run(pipe, guided=True), expected)
    remove_orbis(pipe)
    for _ in range(2):
        assert torch.equal(tiny.run(pipe, guided=True), unreduced)
    assert hasattr(pipe.transformer, "_hf_hook")


def test_another_size_between_two_calls_is_no_trouble() -> None:
    tiny = PIPELINES["wan"]
    pipe = tiny.pipe()
    fresh = tiny.pipe()
    with apply_orbis(pipe, CONFIG), apply_orbis(fresh, CONFIG):
        tiny.run(pipe, guided=True)
        small = tiny.run(pipe, guided=False, height=32, width=48)
        assert torch.equal(small, tiny.run(fresh, guided=False, height=32, width=48))


def save_pipeline(folder: Path) -> None:
    """A whole CogVideoX pipeline with random weights, 9 frames of 64 x 64 pixels."""
    letters = [("▁", -1.0), *((letter, -2.0) for letter in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = T5EncoderModel(
            T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        )
        transformer = Transformer(
            num_attention_heads=2, attention_head_dim=16, in_channels=4, out_channels=4,
            time_embed_dim=8, text_embed_dim=16, num_layers=2, sample_width=8, sample_height=8,
            sample_frames=9, patch_size=2, temporal_compression_ratio=4, max_text_seq_length=226,
        )  # fmt: skip
        decoder = AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 4,
            up_block_types=("CogVideoXUpBlock3D",) * 4, block_out_channels=(8, 8, 8, 8),
            latent_channels=4, layers_per_block=1, norm_num_groups=2,
        )  # fmt: skip
    CogVideoXPipeline(
        T5Tokenizer(vocab=vocabulary), encoder, decoder, transformer, CogVideoXDDIMScheduler()
    ).save_pretrained(folder)


def test_the_script_in_docs_generates_a_video(tmp_path: Path) -> None:
    assert len(SCRIPT.read_text().splitlines()) < 30
    save_pipeline(tmp_path / "model")
    video = tmp_path / "cat.mp4"
    result = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "model", "a cat", video],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert video.stat().st_size > 1000
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2 attention layers patched: transformer.transformer_blocks.0.attn1")
    kinds = OrbisConfig().full_steps(50)
    assert f"so far {kinds.count(True)} full and {kinds.count(False)} reduced calls" in lines[2]
