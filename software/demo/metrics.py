"""How near one video is to another, and how alike two token sets see themselves."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from software.demo.diffusion import Denoised

SIGNAL_RANGE = (-1.0, 1.0)


def psnr(video: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB over all frames, [F, 3, H, W] in -1..1; inf if equal."""
    if torch.equal(video, reference):
        return float("inf")
    return float(peak_signal_noise_ratio(video, reference, data_range=SIGNAL_RANGE))


def ssim(video: Tensor, reference: Tensor) -> float:
    """Structural similarity, mean over the frames of [F, 3, H, W] in -1..1; 1 if equal."""
    return float(structural_similarity_index_measure(video, reference, data_range=SIGNAL_RANGE))


def compare(found: Denoised, reference: Denoised) -> dict[str, float]:
    """Figures of one reduced run against the unreduced one."""
    return {
        "psnr": psnr(found.video, reference.video),
        "ssim": ssim(found.video, reference.video),
        "reduction": found.reduction,
        "reduction_rc": found.reduction_rc,
    }


def similarity_map(tokens: Tensor) -> Tensor:
    """Cosine similarity of every token with every other: [N, D] to [N, N]."""
    unit = F.normalize(tokens.float(), dim=-1)
    return unit @ unit.T


@dataclass(frozen=True)
class MapLikeness:
    """How like two similarity maps are, each taken as one long vector; 1 if equal.

    Attributes:
        cosine: of the angle between the vectors. Maps of mostly positive entries are never far
            apart in it.
        pearson: correlation, the cosine after each vector's mean is taken off.
    """

    cosine: float
    pearson: float


def map_likeness(tokens: Tensor, reference: Tensor) -> MapLikeness:
    """Compare two token sets' similarity maps; both are [N, D], D may differ."""
    one, other = similarity_map(tokens).flatten(), similarity_map(reference).flatten()
    return MapLikeness(
        cosine=float(F.cosine_similarity(one, other, dim=0)),
        pearson=float(F.cosine_similarity(one - one.mean(), other - other.mean(), dim=0)),
    )
