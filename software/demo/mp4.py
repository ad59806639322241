"""Videos as mp4 files."""

from pathlib import Path

import av
import numpy as np
from torch import Tensor

from software.demo.sheet import FPS, to_images
from software.library.files import replacing


def write_mp4(path: Path, video: Tensor, fps: int = FPS) -> None:
    """Write a video, float32 [F, 3, H, W] in -1..1, as H.264 of near-lossless quality."""
    images = to_images(video)
    with replacing(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = images[0].size
        stream.pix_fmt = "yuv420p"  # the one that every player shows
        stream.options = {"crf": "12"}
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
