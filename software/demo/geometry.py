"""What the two video models are shown and give: the small one's videos and the large one's.

The small model is the one that commands run unless they are told otherwise. The large one is the
harder judge of a reduction: it has 2.25 times the tokens, and more scenes to tell apart.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ModelName = Literal["small", "large"]


@dataclass(frozen=True)
class Geometry:
    """The videos that a model makes.

    Attributes:
        classes: what it can show, in label order: names of software.demo.clips.SCENES.
        size: pixels along each side of a frame.
        weights: folder of the shipped model (``from_pretrained`` layout).
        frames: frames of a video.
        patch: pixels along each side of the patch that becomes a token.
    """

    classes: tuple[str, ...]
    size: int
    weights: Path
    frames: int = 8
    patch: int = 6

    @property
    def grid(self) -> tuple[int, int, int]:
        """Video tokens as (frames, rows, columns), and in this order, columns changing fastest."""
        return self.frames, self.size // self.patch, self.size // self.patch


_HERE = Path(__file__).parent
SMALL = Geometry(("bunny", "bikes", "carphone"), 48, _HERE / "weights")
"""8 x 8 x 8 = 512 tokens."""
LARGE = Geometry(
    (*SMALL.classes, "bird", "burrow", "pests", "oak", "woman"), 72, _HERE / "weights_large"
)
"""8 x 12 x 12 = 1,152 tokens."""
GEOMETRIES: dict[ModelName, Geometry] = {"small": SMALL, "large": LARGE}
