from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from software.demo.sheet import (
    CAPTION,
    MARGIN,
    contact_sheet,
    difference,
    write_enlarged_mp4,
    write_gif,
    write_sheet,
)


def grey_ramp(offset: float = 0.0) -> torch.Tensor:
    """Four frames, each of one grey: -0.75, -0.25, 0.25, 0.75, moved by offset."""
    levels = torch.linspace(-0.75, 0.75, 4) + offset
    return levels.view(4, 1, 1, 1).expand(4, 3, 16, 16).contiguous()


def test_a_sheet_shows_each_frame_in_its_place() -> None:
    sheet = contact_sheet([("one", grey_ramp()), ("other", grey_ramp(0.2))], scale=2)
    cell = 32 + MARGIN
    for row, offset in enumerate((0.0, 0.2)):
        for column, level in enumerate((-0.75, -0.25, 0.25, 0.75)):
            at = (MARGIN + column * cell + 16, row * (cell + CAPTION) + CAPTION + 16)
            expected = round((min(level + offset, 1) + 1) * 127.5)
            assert sheet.getpixel(at) == (expected,) * 3


def test_rows_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="needs one shape"):
        contact_sheet([("one", grey_ramp()), ("other", grey_ramp()[:2])])


def test_the_difference_is_grey_where_equal_and_amplified_elsewhere() -> None:
    shown = difference(grey_ramp(0.1), grey_ramp(), 4)
    torch.testing.assert_close(shown, torch.full_like(shown, 0.2))
    assert difference(grey_ramp(), grey_ramp(), 4).abs().max() == 0


def test_sheet_gif_and_mp4_can_be_read_back(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", grey_ramp(), grey_ramp(0.1))
    write_gif(tmp_path / "video.gif", grey_ramp())
    write_enlarged_mp4(tmp_path / "video.mp4", grey_ramp())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sheet.png", "video.gif", "video.mp4"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    with Image.open(tmp_path / "video.gif") as gif:
        assert (gif.format, sum(1 for _ in ImageSequence.Iterator(gif))) == ("GIF", 4)
        assert gif.info["duration"] == 120  # 1000 / 8, in the format's units of 10 ms
    with av.open(str(tmp_path / "video.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 4
    assert frames[0].shape == (48, 48, 3)
    for frame, level in zip(frames, (-0.75, -0.25, 0.25, 0.75), strict=True):
        assert abs(float(np.mean(frame)) - (level + 1) * 127.5) < 4


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs one shape"):
        write_sheet(tmp_path / "sheet.png", grey_ramp(), grey_ramp()[:1])
    with pytest.raises(ValueError, match="cannot be written to"):
        write_gif(tmp_path / "missing" / "video.gif", grey_ramp())
    assert list(tmp_path.iterdir()) == []
