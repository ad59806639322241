"""What a video shall show, and the tokens that stand where a prompt's text tokens would.

A prompt names a clip and a moment of it. The moment matters for measuring: where a prompt leaves
open which scene becomes the video, the scene is decided by whatever small error comes first, and a
comparison of ways of matching measures those decisions instead of the matching.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from software.demo.geometry import SMALL, Geometry

CLASSES = SMALL.classes
"""The small model's classes."""
TEXT_TOKENS = 4
"""Tokens of a prompt."""
MOMENT_WAVES = 8
"""Sine and cosine pairs that describe the moment, of 1/2, 2/2, ... periods a clip."""


def text_channels(geometry: Geometry) -> int:
    """Channels of a prompt's tokens."""
    return TEXT_TOKENS * len(geometry.classes) + 2 * MOMENT_WAVES


@dataclass(frozen=True)
class Prompt:
    """A clip and a moment of it.

    Attributes:
        label: index into the classes of ``geometry``.
        moment: where the video starts, from 0 (the clip's beginning) to 1 (the last window that
            the clip holds). Training has seen moments up to about 0.78.
        geometry: of the model that shall show it.
    """

    label: int
    moment: float = 0.4
    geometry: Geometry = SMALL

    def __post_init__(self) -> None:
        last = len(self.geometry.classes) - 1
        if not 0 <= self.label <= last:
            raise ValueError(f"label is {self.label}; it must lie in 0..{last}.")
        if not 0 <= self.moment <= 1:
            raise ValueError(f"moment is {self.moment}; it must lie in 0..1.")

    def __str__(self) -> str:
        return f"{self.geometry.classes[self.label]} at {self.moment:g}"

    @property
    def tokens(self) -> Tensor:
        """Embedding of this prompt alone: float32 [1, TEXT_TOKENS, text_channels]."""
        return embed(torch.tensor([self.label]), torch.tensor([self.moment]), self.geometry)


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance: a step goes on past what another prompt would give.

    Attributes:
        against: the other prompt.
        scale: of the way from its velocity to the prompt's own; 1 is no guidance.
    """

    against: Prompt
    scale: float

    def __str__(self) -> str:
        return f"guidance {self.scale:g} away from {self.against}"


def embed(labels: Tensor, moments: Tensor, geometry: Geometry) -> Tensor:
    """Text embedding of int64 labels [B] and float32 moments [B].

    Returns float32 [B, TEXT_TOKENS, text_channels]: a one-hot row for each class and place, and the
    moment's waves.
    """
    slots = labels[:, None] * TEXT_TOKENS + torch.arange(TEXT_TOKENS)
    words = F.one_hot(slots, TEXT_TOKENS * len(geometry.classes)).float()
    angles = math.pi * moments[:, None] * torch.arange(1, MOMENT_WAVES + 1)
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.cat([words, waves[:, None].expand(-1, TEXT_TOKENS, -1)], dim=2)
