"""Videos as mp4 files. Needs the extra ``video``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from software.library.extras import require
from software.library.files import replacing

Frame = np.ndarray[Any, np.dtype[np.uint8]]


def to_frames(video: Tensor) -> list[Frame]:
    """The frames of a video, float32 [F, 3, H, W] in -1..1: uint8 [H, W, 3] each."""
    return list(((video.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())


def write_mp4(path: Path, video: Tensor, fps: int = 8) -> None:
    """Write a video, float32 [F, 3, H, W] in -1..1, H and W even, near-losslessly as H.264.

    Raises:
        SetupError: the extra ``video`` is not installed.
    """
    write_frames(path, to_frames(video), fps)


def write_frames(path: Path, frames: Iterable[Frame], fps: int) -> None:
    """Write frames, uint8 [H, W, 3]; raises as `write_mp4`."""
    require("video")
    import av

    first, *rest = frames
    with replacing(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"  # the one that every player shows
        stream.options = {"crf": "12"}
        for frame in (first, *rest):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
