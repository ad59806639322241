"""An mp4 holds the frames of a video, in their size."""

from pathlib import Path

import av
import numpy as np
import torch

from software.library.mp4 import to_frames, write_mp4


def test_a_video_is_read_back_as_it_was(tmp_path: Path) -> None:
    shades = torch.linspace(-1.2, 1, 5).view(5, 1, 1, 1)  # beyond -1 is black
    video = shades.expand(5, 3, 32, 48) * torch.tensor([1.0, 0.5, -0.5]).view(1, 3, 1, 1)
    write_mp4(tmp_path / "video.mp4", video, fps=5)
    with av.open(str(tmp_path / "video.mp4")) as container:
        assert container.streams.video[0].average_rate == 5
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    expected = to_frames(video)
    assert len(frames) == len(expected) == 5
    for frame, wanted in zip(frames, expected, strict=True):
        assert frame.shape == wanted.shape == (32, 48, 3)
        assert np.abs(frame.astype(int) - wanted.astype(int)).max() < 6
    assert expected[0][0, 0].tolist() == [0, 51, 204]
