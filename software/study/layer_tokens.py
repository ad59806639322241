"""Tokens of a layer of full size: CogVideoX-5B's, of real video."""

import torch
from torch import Tensor

from software.demo.video_tokens import TokenGrid, video_tokens

CLIP, GRID = "bigbuckbunny", TokenGrid(13, 30, 45)
"""The latent frames, rows and columns of CogVideoX-5B's video."""


def layer_tokens(grid: TokenGrid = GRID) -> Tensor:
    """The tokens: float16 [N, 3072]."""
    return torch.from_numpy(video_tokens(CLIP, grid))
