"""Videos as pictures that a person can look at: contact sheet, side-by-side sheet, gif, mp4.

Every video is float32 [F, 3, H, W] in -1..1; each writer leaves a whole file or none.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from software.library.files import replacing
from software.library.mp4 import to_frames, write_frames

SCALE = 3
"""Enlargement of every output: a frame of 48 or 72 pixels is a stamp on today's screens."""
FPS = 8
MARGIN = 6
CAPTION = 20


def to_images(video: Tensor, scale: int = SCALE) -> list[Image.Image]:
    """Frames as RGB images, enlarged by ``scale`` with Lanczos."""
    images = [Image.fromarray(frame) for frame in to_frames(video)]
    size = (images[0].width * scale, images[0].height * scale)
    return [image.resize(size, Image.Resampling.LANCZOS) for image in images]


def contact_sheet(rows: Sequence[tuple[str, Tensor]], scale: int = SCALE) -> Image.Image:
    """One captioned row of frames for each (caption, video); videos alike in shape.

    Raises:
        ValueError: no rows, or videos of different shape.
    """
    shapes = {tuple(video.shape) for _, video in rows}
    if len(shapes) != 1:
        raise ValueError(f"the rows have shapes {sorted(shapes)}; a sheet needs one shape.")
    frames, _, height, width = shapes.pop()
    cell_width, cell_height = width * scale + MARGIN, height * scale + MARGIN + CAPTION
    sheet = Image.new("RGB", (frames * cell_width + MARGIN, len(rows) * cell_height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(CAPTION * 2 // 3)
    for row, (caption, video) in enumerate(rows):
        top = row * cell_height
        draw.text((MARGIN, top + MARGIN // 2), caption, fill="black", font=font)
        for column, image in enumerate(to_images(video, scale)):
            sheet.paste(image, (MARGIN + column * cell_width, top + CAPTION))
    return sheet


def difference(video: Tensor, reference: Tensor, factor: float) -> Tensor:
    """Signed difference about mid-grey, times ``factor``; grey means equal."""
    return ((video - reference) / 2 * factor).clamp(-1, 1)


def write_sheet(path: Path, unreduced: Tensor, reduced: Tensor, factor: float = 4.0) -> None:
    """Write the side-by-side sheet as PNG: unreduced, reduced, and their amplified difference."""
    sheet = contact_sheet(
        [
            ("unreduced", unreduced),
            ("reduced", reduced),
            (
                f"difference, {factor:g} times (grey: none)",
                difference(reduced, unreduced, factor),
            ),
        ]
    )
    with replacing(path) as partial:
        sheet.save(partial, format="PNG")


def write_enlarged_mp4(path: Path, video: Tensor, fps: int = FPS) -> None:
    """Write an mp4 of the enlarged frames."""
    write_frames(path, map(np.asarray, to_images(video)), fps)


def write_gif(path: Path, video: Tensor, fps: int = FPS) -> None:
    """Write a looping gif."""
    first, *rest = to_images(video)
    with replacing(path) as partial:
        first.save(
            partial, format="GIF", save_all=True, append_images=rest, duration=1000 // fps, loop=0
        )
