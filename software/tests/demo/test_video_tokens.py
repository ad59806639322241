from io import BytesIO
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image

from software.demo.clips import DOWNLOADS
from software.demo.video_tokens import CLIPS, TokenGrid, find_clip, video_tokens

LARGEST = {"bigbuckbunny": (33, 45, 80), "bikes": (62, 17, 40), "carphone": (30, 9, 11)}
"""Of each clip, tokens along frames, rows and columns."""


def pictures(name: str, count: int) -> list[Image.Image]:
    """The first pictures of a clip, as PyAV makes images of them."""
    scene = find_clip(name)
    with av.open(BytesIO(scene.package.read(scene.file, DOWNLOADS)), "r") as container:
        return [
            frame.to_image()  # type: ignore[no-untyped-call]
            for frame in islice(container.decode(video=0), count)
        ]


def test_each_channel_is_the_pixel_that_the_page_says() -> None:
    """Of 640 x 272 pixels, 3 x 5 tokens lie 280 pixels from the left, and 112 from the top."""
    found = video_tokens("bikes", TokenGrid(2, 3, 5))
    assert found.shape == (30, 3072)
    assert found.dtype == np.float16
    images = pictures("bikes", 8)
    rng = np.random.default_rng(1)
    for _ in range(2000):
        frame, y, x = (int(rng.integers(size)) for size in (8, 48, 80))
        token = (frame // 4 * 3 + y // 16) * 5 + x // 16
        channel = ((frame % 4 * 16 + y % 16) * 16 + x % 16) * 3
        pixel = images[frame].getpixel((280 + x, 112 + y))
        assert isinstance(pixel, tuple)
        expected = [np.float16(value / 255) for value in pixel]
        assert found[token, channel : channel + 3].tolist() == expected


def test_odd_margins_leave_the_pixel_more_at_the_end() -> None:
    """Of 176 x 144 pixels, 8 x 10 tokens leave 8 pixels on each side."""
    found = video_tokens("carphone", TokenGrid(1, 8, 10))
    image = np.asarray(pictures("carphone", 1)[0])[8:24, 8:24]
    assert np.array_equal(found[0, :768], (image / 255).astype(np.float16).ravel())


def test_the_values_are_pixels_of_all_levels() -> None:
    found = video_tokens("bigbuckbunny", TokenGrid(2, 45, 80))
    levels = np.unique(found.astype(np.float64) * 255)
    assert 0 <= levels.min() < levels.max() <= 255
    assert len(levels) > 200
    assert np.abs(levels - levels.round()).max() < 0.1  # no two pixel values are one


def test_the_same_bytes_every_time() -> None:
    first, again = (video_tokens("carphone", TokenGrid(4, 9, 11)).tobytes() for _ in range(2))
    assert first == again


def test_a_larger_grid_holds_the_frames_of_a_smaller_one() -> None:
    short, long = (video_tokens("carphone", TokenGrid(frames, 2, 2)) for frames in (3, 30))
    assert np.array_equal(long[:12], short)


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_gives_all_that_it_has_and_no_more(name: str) -> None:
    most = LARGEST[name]
    told: list[str] = []
    assert len(video_tokens(name, TokenGrid(most[0], 1, 1), told.append)) == most[0]
    assert told == [f"frame {4 * frame}" for frame in range(1, most[0] + 1)]
    assert len(video_tokens(name, TokenGrid(1, *most[1:]))) == most[1] * most[2]
    for axis, field in enumerate(("frames", "rows", "columns")):
        sizes = [1, 1, 1]
        sizes[axis] = most[axis] + 1
        rule = f"{field} is {sizes[axis]}; it must be at most {most[axis]}, since {name} has"
        with pytest.raises(ValueError, match=rule):
            video_tokens(name, TokenGrid(*sizes))


def test_the_models_sizes_fit() -> None:
    for sizes, tokens in (((13, 30, 45), 17_550), ((33, 34, 60), 67_320)):
        assert TokenGrid(*sizes).tokens == tokens
        assert all(a <= b for a, b in zip(sizes, LARGEST["bigbuckbunny"], strict=True))


def test_bad_sizes_and_names() -> None:
    for sizes, rule in (((0, 1, 1), "frames is 0"), ((1, -2, 1), "rows is -2"),
                        ((1, 1, 0), "columns is 0; it must be at least 1")):  # fmt: skip
        with pytest.raises(ValueError, match=rule):
            TokenGrid(*sizes)
    with pytest.raises(ValueError, match="'bunny'; it must be one of bigbuckbunny, bikes, car"):
        video_tokens("bunny", TokenGrid(1, 1, 1))
