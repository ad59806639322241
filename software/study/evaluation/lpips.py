"""LPIPS, where its real networks are at hand: nothing is ever fetched, and nothing stands in.

torchmetrics brings LPIPS' own weights; the AlexNet under them comes from torchvision and its
weights from torch's cache of downloads.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

_ALEXNET = "alexnet-owt-7be5be79.pth"


@cache
def missing() -> str | None:
    """Why LPIPS cannot be measured; None if it can."""
    if find_spec("torchvision") is None:
        return "torchvision is not installed"
    if not (Path(torch.hub.get_dir()) / "checkpoints" / _ALEXNET).is_file():
        return f"AlexNet's weights ({_ALEXNET}) are not in torch's cache"
    return None


def distance(video: Tensor, reference: Tensor) -> float:
    """LPIPS (AlexNet), mean over the frames of [F, 3, H, W] in -1..1; 0 if equal."""
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

    return float(learned_perceptual_image_patch_similarity(video, reference, net_type="alex"))
