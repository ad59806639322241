"""Tiny transformers of every supported family, with random weights, and inputs for them.

Sizes are chosen so that frames, rows, columns, heads and text differ from each other: a mix-up of
two axes cannot go unnoticed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    CogVideoXTransformer3DModel,
    HunyuanVideoTransformer3DModel,
    LTXVideoTransformer3DModel,
    MochiTransformer3DModel,
    WanTransformer3DModel,
)
from torch import Tensor, nn

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Tiny:
    """A model, its inputs for a batch and a seed, its token grid, and where its text lies.

    Attributes:
        build: makes the model; call it through ``model``.
        inputs: ``inputs(batch, seed)``, keyword arguments of its forward but the time.
        grid: frames, rows and columns of video tokens.
        text: text tokens in the joint sequence; 0 where text is no part of it.
        text_first: whether they go first.
    """

    build: Callable[[], Any]
    inputs: Callable[[int, int], Inputs]
    grid: tuple[int, int, int]
    text: int = 0
    text_first: bool = False

    @property
    def num_tokens(self) -> int:
        """Video tokens."""
        frames, rows, columns = self.grid
        return frames * rows * columns

    def model(self) -> nn.Module:
        """The model, from a seed, not from the global generator."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model: nn.Module = self.build()
            for name, parameter in model.named_parameters():
                # Fresh models scale some branches by nearly nothing; then no mistake would show.
                if name.endswith("scale_shift_table"):
                    parameter.data.normal_()
        return model.eval().requires_grad_(False)


def run(model: nn.Module, inputs: Inputs, time: float = 500.0) -> Tensor:
    """One call of the model, the time going down from 1,000 as in pipelines."""
    batch = len(inputs["hidden_states"])
    timestep = torch.full((batch,), time)
    found: Tensor = model(**inputs, timestep=timestep, return_dict=False)[0]
    return found


def normal(seed: int, *shape: int) -> Tensor:
    """Each entry of the batch (dimension 0) has a seed of its own."""
    rows = [
        torch.randn(shape[1:], generator=torch.Generator().manual_seed(1000 * seed + number))
        for number in range(shape[0])
    ]
    return torch.stack(rows)


def _keep(batch: int, tokens: int) -> Tensor:
    """Text masks: the first video has all its text tokens, each next one two less."""
    return torch.arange(tokens)[None] < tokens - 2 * torch.arange(batch)[:, None]


def _cogvideox(rotary: bool) -> Tiny:
    def build() -> Any:
        return CogVideoXTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, in_channels=3, out_channels=3,
            time_embed_dim=8, text_embed_dim=8, num_layers=2, sample_width=10, sample_height=8,
            sample_frames=3, patch_size=2, temporal_compression_ratio=1, max_text_seq_length=7,
            use_rotary_positional_embeddings=rotary,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        given: Inputs = {
            "hidden_states": normal(seed, batch, 3, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 8),
        }
        if rotary:
            angle = torch.arange(60)[:, None] * torch.linspace(0.1, 1, 8).repeat_interleave(2)
            given["image_rotary_emb"] = (angle.cos(), angle.sin())
        return given

    return Tiny(build, inputs, (3, 4, 5), 7, text_first=True)


def _hunyuan_video() -> Tiny:
    def build() -> Any:
        return HunyuanVideoTransformer3DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10,
            num_layers=1, num_single_layers=1, num_refiner_layers=1, patch_size=2, patch_size_t=1,
            guidance_embeds=True, text_embed_dim=16, pooled_projection_dim=8,
            rope_axes_dim=(2, 4, 4),
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, 4, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": _keep(batch, 7).long(),
            "pooled_projections": normal(seed + 90, batch, 8),
            "guidance": torch.full((batch,), 6000.0),
        }

    return Tiny(build, inputs, (3, 4, 5), 7)


def wan(channels: int = 4) -> Tiny:
    """Wan, with so many latent channels."""

    def build() -> Any:
        return WanTransformer3DModel(
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12,
            in_channels=channels, out_channels=channels, text_dim=16, freq_dim=32, ffn_dim=32,
            num_layers=2, cross_attn_norm=True, qk_norm="rms_norm_across_heads",
            rope_max_seq_len=32,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, channels, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
        }

    return Tiny(build, inputs, (3, 4, 5))


def _ltx_video() -> Tiny:
    def build() -> Any:
        return LTXVideoTransformer3DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8,
            cross_attention_dim=16, num_layers=2, caption_channels=16,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, 60, 4),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": _keep(batch, 7).long(),
            "num_frames": 3, "height": 4, "width": 5,
        }  # fmt: skip

    return Tiny(build, inputs, (3, 4, 5))


def _mochi() -> Tiny:
    def build() -> Any:
        return MochiTransformer3DModel(
            patch_size=2, num_attention_heads=2, attention_head_dim=8, num_layers=2,
            pooled_projection_dim=16, in_channels=4, qk_norm="rms_norm", text_embed_dim=16,
            time_embed_dim=4, activation_fn="swiglu", max_sequence_length=7,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, 4, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": _keep(batch, 7),
        }

    return Tiny(build, inputs, (3, 4, 5), 7)


TINY: dict[str, Tiny] = {
    "cogvideox": _cogvideox(rotary=False),
    "cogvideox-rotary": _cogvideox(rotary=True),
    "hunyuanvideo": _hunyuan_video(),
    "wan": wan(),
    "ltx-video": _ltx_video(),
    "mochi": _mochi(),
}
