"""What a tiny transformer is: how it is built, what goes in, where its tokens lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
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


def normal(seed: int, *shape: int) -> Tensor:
    """Each entry of the batch (dimension 0) has a seed of its own."""
    rows = [
        torch.randn(shape[1:], generator=torch.Generator().manual_seed(1000 * seed + number))
        for number in range(shape[0])
    ]
    return torch.stack(rows)


def keep(batch: int, tokens: int) -> Tensor:
    """Text masks: the first video has all its text tokens, each next one two less."""
    return torch.arange(tokens)[None] < tokens - 2 * torch.arange(batch)[:, None]
