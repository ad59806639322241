import math

import pytest
import torch

from software.demo.geometry import GEOMETRIES, LARGE, SMALL, Geometry
from software.demo.prompt import MOMENT_WAVES, TEXT_TOKENS, Prompt, embed, text_channels


@pytest.mark.parametrize("geometry", GEOMETRIES.values())
def test_words_differ_between_classes_and_places(geometry: Geometry) -> None:
    count = len(geometry.classes)
    tokens = embed(torch.arange(count), torch.zeros(count), geometry)
    assert tokens.shape == (count, TEXT_TOKENS, text_channels(geometry))
    words = tokens.flatten(0, 1)[:, : -2 * MOMENT_WAVES]
    assert torch.equal(words, torch.eye(TEXT_TOKENS * count))


def test_moments_are_told_apart_and_near_ones_are_near() -> None:
    moments = torch.linspace(0, 1, 101)
    waves = embed(torch.zeros(101, dtype=torch.int64), moments, SMALL)[:, 0, -2 * MOMENT_WAVES :]
    apart = torch.cdist(waves, waves)
    assert apart[0].argmin() == 0
    assert torch.equal(apart[50].argsort()[:3].sort().values, torch.tensor([49, 50, 51]))
    assert (apart + torch.eye(101)).min() > 0.1
    assert waves[50, MOMENT_WAVES].item() == pytest.approx(math.cos(math.pi / 2), abs=1e-6)


def test_a_prompt_is_one_row_of_a_batch() -> None:
    rows = embed(torch.tensor([0, 2]), torch.tensor([0.25, 0.5]), SMALL)
    assert torch.equal(Prompt(2, 0.5).tokens, rows[1:])
    assert str(Prompt(2, 0.5)) == "carphone at 0.5"
    assert str(Prompt(7, 0.5, LARGE)) == "woman at 0.5"


@pytest.mark.parametrize(
    ("label", "moment", "sentence"),
    [
        (3, 0.5, r"label is 3; it must lie in 0\.\.2\."),
        (-1, 0.5, r"label is -1; it must lie in 0\.\.2\."),
        (0, 1.01, r"moment is 1\.01; it must lie in 0\.\.1\."),
        (0, math.nan, r"moment is nan; it must lie in 0\.\.1\."),
    ],
)
def test_a_prompt_outside_the_clips_is_refused(label: int, moment: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Prompt(label, moment)
