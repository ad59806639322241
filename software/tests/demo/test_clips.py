from dataclasses import replace
from pathlib import Path

import pytest
import torch

from software.demo.clips import SCENES, Clip, decode, load_clips, window_sets, windows
from software.demo.geometry import GEOMETRIES, LARGE, SMALL, Geometry
from software.tests.demo.archives import write_archives


def made_clip(frames: int, cut_before: int | None = None) -> Clip:
    """A clip of slowly changing grey, with an abrupt change before one frame."""
    grey = torch.arange(frames, dtype=torch.uint8)
    if cut_before is not None:
        grey[cut_before:] += 100
    return Clip(0, grey.view(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous())


def test_the_wheel_holds_three_clips_that_decode_to_the_size_asked_for() -> None:
    clips = load_clips(replace(SMALL, size=16))
    assert [clip.frames.shape for clip in clips] == [
        (frames, 3, 16, 16) for frames in (132, 250, 120)
    ]
    for clip in clips:
        assert clip.frames.dtype == torch.uint8
        assert clip.frames.float().std() > 30  # a picture, not a blank


@pytest.mark.parametrize("geometry", GEOMETRIES.values())
def test_every_class_has_a_scene_of_its_own(geometry: Geometry) -> None:
    assert len({SCENES[name] for name in geometry.classes}) == len(geometry.classes)


def test_a_scene_has_its_frames_and_its_side_of_them(tmp_path: Path) -> None:
    write_archives(tmp_path)
    middle = decode(SCENES["bird"], 8, tmp_path).float()
    assert middle.shape == (84, 3, 8, 8)
    assert (middle[:, 0].mean((1, 2)) / 128 - 1 - torch.arange(250, 334) / 987).abs().max() < 0.05
    assert (middle[:, 2, :, -2:] - middle[:, 2, :, :2]).abs().max() > 0
    right = decode(SCENES["oak"], 8, tmp_path).float()
    assert right[0, 2].mean() > middle[0, 2].mean() + 20


def test_the_large_model_can_be_trained_and_tested_on_each_of_its_classes(tmp_path: Path) -> None:
    write_archives(tmp_path)
    clips = load_clips(replace(LARGE, size=8), tmp_path)
    for side in window_sets(clips, 8, 2):
        assert set(side.index[:, 0].tolist()) == set(range(8))


def test_no_window_straddles_the_split_and_none_is_missing() -> None:
    clip = made_clip(50)  # frames 40..49 are held out
    assert windows(clip, 4, 3, hold_out=False).tolist() == list(range(31))
    assert windows(clip, 4, 3, hold_out=True).tolist() == [40]


def test_no_window_spans_a_cut() -> None:
    starts = windows(made_clip(50, cut_before=20), 4, 3, hold_out=False).tolist()
    # A window of frames s..s+9 spans the cut between 19 and 20 where s <= 19 < s + 9.
    assert starts == [*range(11), *range(20, 31)]


def test_a_batch_holds_the_frames_that_its_index_names() -> None:
    clips = [made_clip(50), Clip(1, 255 - made_clip(50).frames)]
    train, held_out = window_sets(clips, 4, 3)
    assert set(map(tuple, train.index.tolist())) & set(map(tuple, held_out.index.tolist())) == set()
    videos, labels, moments = train.batch(torch.tensor([5, 31 + 7]))
    assert labels.tolist() == [0, 1]
    # The last window of 50 frames starts at frame 40: 4 frames, 3 apart, end at 49.
    torch.testing.assert_close(moments, torch.tensor([5 / 40, 7 / 40]))
    pixels = (videos[:, :, 0, 0, 0] + 1) * 127.5
    assert pixels[0].round().int().tolist() == [5, 8, 11, 14]
    assert pixels[1].round().int().tolist() == [248, 245, 242, 239]


def test_draws_follow_the_generator_and_reach_every_class() -> None:
    train, _ = window_sets(load_clips(replace(SMALL, size=8)), 8, 2)
    first, labels, _ = train.draw(24, torch.Generator().manual_seed(1))
    again, _, _ = train.draw(24, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert set(labels.tolist()) == {0, 1, 2}
    assert first.shape == (24, 8, 3, 8, 8)
    assert -1 <= first.min() < -0.5 < 0.5 < first.max() <= 1
