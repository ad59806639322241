"""Which steps are full, how many tokens go, and what a config refuses."""

import dataclasses
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from software.library.config import OrbisConfig, reduced_count


@pytest.mark.parametrize(
    ("options", "steps", "expected"),
    [
        ({"warmup_steps": 1}, 9, "FRRRFRRRF"),
        ({"warmup_steps": 3}, 9, "FFFRRRFRR"),
        ({"warmup_steps": 1, "rc_steps": 0}, 4, "FFFF"),
        ({"warmup_steps": 1, "rc_steps": 1}, 5, "FRFRF"),
        ({"warmup_steps": 8}, 2, "FF"),
        ({"warmup_steps": 2, "last_full_steps": 2}, 9, "FFRRRFRFF"),
        ({"warmup_steps": 1, "last_full_steps": 9}, 4, "FFFF"),
    ],
)
def test_full_steps_come_where_the_config_says(
    options: dict[str, Any], steps: int, expected: str
) -> None:
    kinds = OrbisConfig(**options).full_steps(steps)
    assert "".join("F" if full else "R" for full in kinds) == expected


def test_a_full_step_matches_only_where_a_reduced_one_follows() -> None:
    config = OrbisConfig(warmup_steps=3, last_full_steps=1)
    assert [step for step in range(8) if config.matches(step, 8)] == [2, 3, 4, 5]
    assert OrbisConfig(warmup_steps=3).matches(7, 8) is False
    assert OrbisConfig(warmup_steps=3).matches(7) is True
    assert OrbisConfig(warmup_steps=3, rc_steps=0).matches(20) is False


def test_the_number_of_reduced_tokens_follows_the_ratio() -> None:
    assert [reduced_count(ratio, 512, 128) for ratio in (0, 0.38, 0.75)] == [0, 195, 384]
    with pytest.raises(ValueError, match=r"ratio 0\.8 reduces 410 of 512 .* most 384 .*0\.75"):
        reduced_count(0.8, 512, 128)
    grid = (8, 8, 8)
    assert OrbisConfig(ratio=0.38, dst_fraction=0.125).counts(grid) == (64, 195)
    assert OrbisConfig(ratio=0.38, num_dst=100).counts(grid) == (100, 195)
    with pytest.raises(ValueError, match=r"with 400 dst tokens at most 112"):
        OrbisConfig(ratio=0.38, num_dst=400).counts(grid)
    # One dst a 2x2x2 block: more than 3/4 can go. Blocks at the edge are smaller.
    assert OrbisConfig(ratio=0.8, matcher="bsm").counts(grid) == (64, 410)
    assert OrbisConfig(ratio=0.5, matcher="bsm2d").counts((3, 4, 5))[0] == 3 * 2 * 3
    assert OrbisConfig(ratio=1, restore="cache").counts(grid) == (0, 512)
    with pytest.raises(ValueError, match=r"with 128 dst tokens at most 384"):
        OrbisConfig(ratio=0.8, matcher="bsm2d").counts(grid)


def test_a_warm_up_may_be_a_share_of_the_run() -> None:
    assert [OrbisConfig().warmup(steps) for steps in (50, 8, 4, 1)] == [13, 2, 1, 1]
    assert OrbisConfig(warmup_steps=7).warmup(None) == 7
    with pytest.raises(ValueError, match=r"warmup_steps is 0.25 of a run, but nobody tells how"):
        OrbisConfig().warmup(None)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"ratio": -0.1}, r"ratio is -0.1; it must lie in 0\.\.1"),
        ({"ratio": float("nan")}, "ratio is nan; it must lie"),
        ({"ratio": 0.8}, r"ratio is 0.8, but dst_fraction 0.25 leaves at most 0.75"),
        ({"dst_fraction": 1.0}, "dst_fraction is 1.0; it must be above 0 and below 1"),
        ({"epsilon": 1.0}, r"epsilon is 1.0; it must lie in 0\.\.65535/65536"),
        ({"rc_steps": -1}, "rc_steps is -1; it must be at least 0"),
        ({"warmup_steps": 0}, "warmup_steps is 0; it must be a whole number of at least 1, or a"),
        ({"warmup_steps": 1.5}, "warmup_steps is 1.5; it must be a whole number"),
        ({"rc_steps": 1.5}, "rc_steps is 1.5; it must be an integer"),
        ({"seed": "1"}, "seed is '1'; it must be an integer"),
        ({"last_full_steps": -1}, "last_full_steps is -1; it must be at least 0"),
        ({"num_steps": 0}, "num_steps is 0; it must be at least 1"),
        ({"num_dst": 0}, "num_dst is 0; it must be at least 1"),
        ({"max_iterations": 0}, "max_iterations is 0; it must be at least 1"),
        ({"bits": 8}, "bits is 8; it must be 4, or None for floats"),
        ({"bits": None, "scale_group": 16}, "scale_group is 16, but float tokens have no scale"),
        ({"seed": 1 << 32}, r"seed is 4294967296; it must lie in 0\.\.4294967295"),
        ({"guide": "queries"}, "guide is 'queries'; it must be one of output, input, query_value"),
        ({"matcher": "kmeans"}, "matcher is 'kmeans'; it must be one of datm, random, bsm"),
        ({"targets": "kv"}, "targets is 'kv'; it must be one of qkv, q"),
        ({"matcher": "asymrnr"}, "matcher 'asymrnr' does not go with guide 'output'"),
        ({"guide": "query_value"}, "matcher 'datm' does not go with guide 'query_value'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        OrbisConfig(**options)


def test_numpys_numbers_count_as_numbers() -> None:
    given: dict[str, Any] = {
        "ratio": np.float32(0.5), "seed": np.int64(3), "layers": np.arange(2),
        "proportional": np.bool_(False),
    }  # fmt: skip
    config = OrbisConfig(**given)
    found = (config.ratio, config.seed, config.layers, config.proportional)
    assert found == (0.5, 3, (0, 1), False)
    assert [type(each) for each in found] == [float, int, tuple, bool]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"ratio": "0.38"}, "ratio is '0.38'; it must be a number"),
        ({"layers": 1}, "layers is 1; it must be a list of integers"),
        ({"proportional": "no"}, "proportional is 'no'; it must be True or False"),
        ({"bits": 4.0}, "bits is 4.0; it must be an integer"),
        ({"guide": ["output"]}, r"guide is \['output'\]; it must be one of"),
        ({"num_dst": 10**30}, "num_dst is an integer of 100 bits; it must have at most 64"),
    ],
)
def test_values_of_other_types_are_refused(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        OrbisConfig(**options)


def test_more_dst_than_tokens_are_refused_as_such() -> None:
    config = OrbisConfig(num_dst=10**9)
    with pytest.raises(ValueError, match="num_dst is 1000000000, but the video has 512 tokens; it"):
        config.counts((8, 8, 8))


ODD: tuple[Any, ...] = (
    None, True, "", "0.38", b"1", -1, 0, 1.5, float("nan"), float("inf"), 10**30, 10**5000, 1j, [],
    {}, object(), np.float32(0.3), np.int64(3), np.array([1, 2]), np.array("a"), torch.tensor(2),
    Fraction(1, 3), Decimal("0.3"), len,
)  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(OrbisConfig)])
def test_any_value_is_taken_or_refused_in_a_sentence(name: str) -> None:
    for value in ODD:
        try:
            config = OrbisConfig(**{name: value})
        except ValueError as error:
            sentence = str(error)
            assert name in sentence, sentence
            assert sentence.endswith("."), sentence
            assert "\n" not in sentence, sentence
        else:
            hash(config)
            assert type(getattr(config, name)) in (type(None), bool, int, float, str, tuple)
