"""Published sizes against diffusers' own classes, token counts against published ones, and sums."""

import json
import math
from typing import Any

import pytest
import torch
from diffusers import (
    CogVideoXTransformer3DModel,
    HunyuanVideoTransformer3DModel,
    LTXVideoTransformer3DModel,
    MochiTransformer3DModel,
    WanTransformer3DModel,
)
from torch import nn
from typer.testing import CliRunner

from software.commands.cli import app
from software.library.config import OrbisConfig
from software.library.workload import MODELS, work, workload

# What a model's config changes of its class's defaults.
CLASSES: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "cogvideox-2b": (CogVideoXTransformer3DModel, {}),
    "cogvideox-5b": (CogVideoXTransformer3DModel, {"num_layers": 42, "num_attention_heads": 48}),
    "hunyuanvideo": (HunyuanVideoTransformer3DModel, {}),
    "wan2.1-1.3b": (
        WanTransformer3DModel,
        {"num_layers": 30, "num_attention_heads": 12, "ffn_dim": 8960},
    ),
    "wan2.1-14b": (WanTransformer3DModel, {}),
    "ltx-video": (LTXVideoTransformer3DModel, {}),
    "mochi-1": (MochiTransformer3DModel, {}),
}
_OTHER_STREAMS = ("attn2", "add_", "context", "norm", "refiner")


@pytest.mark.parametrize("name", MODELS)
def test_sizes_are_those_of_the_model(name: str) -> None:
    """A video token passes each weight of the blocks' linear layers once."""
    kind, config = CLASSES[name]
    with torch.device("meta"):
        model = kind(**config)
    weights = sum(
        module.weight.numel()
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and "blocks." in path
        and not any(other in path for other in _OTHER_STREAMS)
    )
    one, two = (work(MODELS[name], tokens) for tokens in (1000, 1001))
    linear = [step["projections"] + step["feed_forward"] for step in (one, two)]
    assert linear[1] - linear[0] == weights
    layers = MODELS[name].layers[0]
    assert layers.width % layers.heads == 0


@pytest.mark.parametrize(
    ("name", "video", "tokens"),
    [
        ("cogvideox-5b", (49, 480, 720), 17_550),
        ("hunyuanvideo", (129, 544, 960), 67_320),
        ("hunyuanvideo", (129, 720, 1280), 118_800),
        ("wan2.1-1.3b", (81, 480, 832), 32_760),
        ("wan2.1-14b", (81, 720, 1280), 75_600),
        ("mochi-1", (163, 480, 848), 44_520),
    ],
)
def test_token_counts_are_the_published_ones(
    name: str, video: tuple[int, int, int], tokens: int
) -> None:
    assert math.prod(MODELS[name].grid(*video)) == tokens


def test_sdpa_falls_with_the_square_of_the_tokens_that_are_left() -> None:
    model = MODELS["wan2.1-1.3b"]  # no text among the video tokens
    full, half = work(model, 1000), work(model, 1000, OrbisConfig(ratio=0.5, targets="qkv"))
    assert half["sdpa"] * 4 == full["sdpa"] == 30 * 2 * 1000**2 * 1536
    assert half["projections"] * 2 == full["projections"]
    assert half["feed_forward"] == full["feed_forward"]
    queries = work(model, 1000, OrbisConfig(ratio=0.75))
    assert queries["sdpa"] * 4 == full["sdpa"]
    assert queries["projections"] * 8 == full["projections"] * 5
    nothing = work(model, 1000, OrbisConfig(ratio=1, restore="cache"))
    assert (nothing["sdpa"], nothing["projections"]) == (0, 0)
    assert nothing["feed_forward"] == full["feed_forward"]


@pytest.mark.parametrize("name", ["cogvideox-5b", "hunyuanvideo"])
def test_the_default_keeps_less_than_a_quarter_of_what_caching_keeps(name: str) -> None:
    found = workload(name, OrbisConfig())
    tokens = found["video_tokens"]
    assert found["caching_bytes"] == found["layers"] * tokens * 3072 * 2
    of_a_pair = 3072 // 2 + 3072 // 32
    lists = 8 * (2 * found["dropped"] + 2 * (tokens - found["dropped"]) + tokens)
    kept = found["dropped"] * of_a_pair + 2 * 3072 + lists
    assert found["kept_bytes"] == found["layers"] * kept
    assert found["index_bytes"] == found["layers"] * lists
    assert found["kept_share_of_caching"] == found["kept_bytes"] / found["caching_bytes"] < 0.25


def test_a_plan_adds_up() -> None:
    found = workload("cogvideox-2b", OrbisConfig(ratio=0.4, warmup_steps=6), steps=50)
    assert found["dropped"] == 7020
    assert found["num_dst"] == 4388
    # Steps 5, 9, ..., 49 are full as well.
    assert found["reduced_steps"] == 50 - 5 - 12
    assert found["tokens_dropped_over_all_steps"] == pytest.approx(0.4 * 33 / 50)
    full, reduced = (sum(found[f"{kind}_step_mac"].values()) for kind in ("full", "reduced"))
    assert found["work_saved"] == pytest.approx(1 - (17 * full + 33 * reduced) / (50 * full))
    assert workload("cogvideox-2b", OrbisConfig(warmup_steps=60))["work_saved"] == 0


def test_the_command_prints_what_the_plan_says() -> None:
    result = CliRunner().invoke(app, ["plan", "--model", "wan2.1-1.3b", "--frames", "41", "--json"])
    assert json.loads(result.stdout) == workload("wan2.1-1.3b", OrbisConfig(), frames=41)
    everything = CliRunner().invoke(app, ["plan"])
    assert all(name in everything.stdout for name in MODELS)


def test_bad_input_is_refused_in_a_sentence() -> None:
    for options, rule in (
        (["--model", "gpt"], "model is 'gpt'; it must be one of cogvideox-2b, "),
        (["--frames", 49], "a video's size needs --model"),
        (["--model", "mochi-1", "--height", 481], "height is 481; it must be a multiple of 16."),
        (["--model", "mochi-1", "--frames", 48], "frames is 48; it must be 1 more than a multiple"),
        (["--ratio", 0.9], "ratio is 0.9, but dst_fraction 0.25 leaves at most 0.75"),
        (["--dst-fraction", 1], "dst_fraction is 1.0; it must be above 0 and below 1."),
        (["--steps", 0], "steps is 0; it must lie in 1..100000."),
        (["--steps", 10**30], f"steps is {10**30}; it must lie in 1..100000."),
        (["--rc-steps", -1], "rc_steps is -1; it must be at least 0."),
    ):
        result = CliRunner().invoke(app, ["plan", *map(str, options)])
        assert result.exit_code == 2
        assert rule in result.stderr
