"""Pictures, and what stands in for their encoders: shapes, and no weights."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from software.tests.library.tiny import normal

IMAGE = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(3))
VIDEO = torch.rand(1, 9, 3, 64, 80, generator=torch.Generator().manual_seed(4))
PIL, FACE = Image.new("RGB", (80, 64), "teal"), Image.new("RGB", (16, 16), "tan")


class Encoded(NamedTuple):
    """What pipelines take from an encoder, by its name or as the first of several."""

    latent_dist: Any


class StandInVae(nn.Module):
    """Averages over space and time to encode, and repeats to decode.

    Attributes:
        config: what pipelines of every family read there.
    """

    dtype, device = torch.float32, torch.device("cpu")
    temperal_downsample = (False, True, True)  # so spelled in diffusers

    def __init__(self, channels: int, *, space: int = 8, time: int = 4) -> None:
        """``channels`` of the latents; ``space`` and ``time``: pixels and frames of one."""
        super().__init__()
        self.spatial_compression_ratio, self.temporal_compression_ratio = space, time
        self.latents_mean, self.latents_std = torch.zeros(channels), torch.ones(channels)
        self.config: Any = SimpleNamespace(
            z_dim=channels, latent_channels=channels, latents_mean=[0.0] * channels,
            latents_std=[1.0] * channels, scaling_factor=0.7, invert_scale_latents=False,
            block_out_channels=(8,) * 4, temporal_compression_ratio=time,
            scale_factor_spatial=space, scale_factor_temporal=time,
        )  # fmt: skip

    def encode(self, pixels: Tensor) -> Encoded:
        """Pixels [B, 3, F, H, W] to latents [B, C, (F - 1) / time + 1, H / space, W / space]."""
        if pixels.dim() == 4:
            pixels = pixels[:, :, None]
        frames, height, width = pixels.shape[2:]
        space, time = self.spatial_compression_ratio, self.temporal_compression_ratio
        size = ((frames - 1) // time + 1, height // space, width // space)
        small = F.adaptive_avg_pool3d(pixels.float(), size)
        channels = self.config.z_dim
        latents = small.repeat(1, -(-channels // 3), 1, 1, 1)[:, :channels]
        always = SimpleNamespace(sample=lambda generator=None: latents, mode=lambda: latents)
        return Encoded(always)

    def decode(self, latents: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        """Three of the channels, as large as pixels are."""
        frames, height, width = latents.shape[2:]
        space, time = self.spatial_compression_ratio, self.temporal_compression_ratio
        size = ((frames - 1) * time + 1, height * space, width * space)
        return (F.interpolate(latents[:, :3], size),)


def seeing(pipe: Any, channels: int) -> Any:
    """A pipeline whose image encoder finds two tokens of so many channels."""
    pipe.encode_image = lambda *_, **__: normal(5, 1, 2, channels)
    return pipe
