"""Matchers draw by seed, layer and step, and a config names each of them."""

import pytest
import torch
from torch import Tensor

from golden.bsm import match_bsm
from software.library.backends import make_backend
from software.library.config import BLOCKS, OrbisConfig
from software.library.matchers import (
    AsymRnRMatcher,
    BsmMatcher,
    DatmMatcher,
    MatchRequest,
    draw_seed,
    make_matcher,
)

GRID = (4, 4, 4)


def tokens() -> Tensor:
    return torch.randn(64, 8, generator=torch.Generator().manual_seed(0))


def request(layer: int = 0, step: int = 0, previous: object = None) -> MatchRequest:
    return MatchRequest(layer, step, GRID, 16, 20, previous)


def test_a_warm_start_begins_with_the_medoids_of_the_match_before() -> None:
    warm = DatmMatcher(make_backend("golden"), warm_start=True)
    cold = DatmMatcher(make_backend("golden"))
    first = warm(tokens(), request())
    again = warm(tokens(), request(step=4, previous=first))
    assert again.loss_history[0] == first.loss_history[-1] < first.loss_history[0]
    assert torch.equal(first.src, cold(tokens(), request()).src)
    assert cold(tokens(), request(step=4, previous=first)).loss_history[0] > first.loss_history[-1]


def test_dst_are_drawn_anew_for_each_layer_and_step_but_the_same_for_a_seed() -> None:
    matcher = BsmMatcher(3, BLOCKS["bsm"])
    first = matcher(tokens(), request())
    assert torch.equal(first.src, BsmMatcher(3, BLOCKS["bsm"])(tokens(), request()).src)
    for other in (request(layer=1), request(step=1)):
        assert not torch.equal(first.medoids, matcher(tokens(), other).medoids)
    assert len(first.src) == 20
    assert matcher.calls == 3
    seeds = {draw_seed(5, layer, step) for layer in range(100) for step in range(100)}
    assert len(seeds) == 10_000


def test_bsm_in_two_dimensions_has_a_dst_in_each_block_of_each_frame() -> None:
    found = make_matcher(OrbisConfig(matcher="bsm2d"))(tokens(), request())
    frames = found.medoids // 16
    assert len(found.medoids) == 16
    assert torch.equal(torch.bincount(frames), torch.full((4,), 4))


def test_asymrnr_matches_each_head_of_q_and_v_for_itself() -> None:
    generator = torch.Generator().manual_seed(1)
    query, value = torch.randn(2, 3, 64, 8, generator=generator)
    by_query, by_value = AsymRnRMatcher(2, BLOCKS["asymrnr"])((query, value), request())
    assert by_query.src.shape == by_value.dst.shape == (3, 20)
    draws = torch.Generator().manual_seed(draw_seed(2, 0, 0))
    state = draws.get_state()
    for found, heads in ((by_query, query), (by_value, value)):
        for head in range(3):
            # Every head has the same dst: each one's match draws from the same place.
            draws.set_state(state)
            alone = match_bsm(heads[head], GRID, 20, generator=draws)
            assert torch.equal(found.src[head], alone.src)
            assert torch.equal(found.dst[head], alone.dst)
        state = draws.get_state()


@pytest.mark.parametrize(
    ("config", "iterations"),
    [
        (OrbisConfig(bits=None), 2),
        (OrbisConfig(max_iterations=3), 2),
        (OrbisConfig(matcher="random", bits=None), 1),
        (OrbisConfig(epsilon=0.9), 2),
    ],
)
def test_a_config_names_its_matcher(config: OrbisConfig, iterations: int) -> None:
    found = make_matcher(config)(tokens(), request())
    assert found.loss.dtype == (torch.float32 if config.bits is None else torch.int64)
    if config.matcher == "random" or config.epsilon == 0.9:
        assert found.iterations == iterations
    else:
        assert iterations <= found.iterations <= config.max_iterations
