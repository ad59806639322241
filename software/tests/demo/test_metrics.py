import math

import pytest
import torch

from software.demo.metrics import map_likeness, psnr, similarity_map, ssim


def video(seed: int) -> torch.Tensor:
    return torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_psnr_of_a_constant_difference_is_the_formula() -> None:
    reference = torch.zeros(2, 3, 16, 16)
    assert psnr(reference + 0.02, reference) == pytest.approx(20 * math.log10(2 / 0.02), abs=1e-3)
    assert psnr(reference, reference) == math.inf


def test_ssim_falls_as_noise_grows() -> None:
    reference, noise = video(0), video(1)
    values = [ssim(reference + amount * noise, reference) for amount in (0, 0.1, 0.5)]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2]


def test_similarity_ignores_the_length_of_tokens() -> None:
    tokens = torch.tensor([[1.0, 0.0], [3.0, 3.0], [0.0, -2.0]])
    half = math.sqrt(0.5)
    expected = torch.tensor([[1, half, 0], [half, 1, -half], [0, -half, 1]])
    torch.testing.assert_close(similarity_map(tokens), expected)


def test_map_likeness_compares_structure_not_channels() -> None:
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randn(20, 8, generator=generator)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    same, other = map_likeness(tokens @ rotation, tokens), map_likeness(tokens.flip(0), tokens)
    assert same.cosine == pytest.approx(1, abs=1e-5)
    assert same.pearson == pytest.approx(1, abs=1e-5)
    assert other.pearson < other.cosine < 0.9


def test_pearson_is_the_correlation_of_the_maps() -> None:
    one, other = video(3)[0, 0], video(4)[0, 0]
    maps = torch.stack([similarity_map(tokens).flatten() for tokens in (one, other)])
    assert map_likeness(one, other).pearson == pytest.approx(float(torch.corrcoef(maps)[0, 1]))
