"""Heads of projected rows: split, turned, merged. Shapes as in `software.library.families.base`."""

import torch
from torch import Tensor


def split_heads(rows: Tensor, count: int) -> Tensor:
    """[B, S, count d] to [B, count, S, d]."""
    return rows.reshape(*rows.shape[:-1], count, rows.shape[-1] // count).transpose(1, 2)


def merge_heads(heads: Tensor) -> Tensor:
    """[B, H, S, d] to [B, S, H d]."""
    return heads.transpose(1, 2).flatten(2)


def turn_pairs(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channels (2 i, 2 i + 1) of [..., d] by angles [..., d / 2], in float32 or wider."""
    even, odd = heads[..., ::2].float(), heads[..., 1::2].float()
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2).to(heads.dtype)
