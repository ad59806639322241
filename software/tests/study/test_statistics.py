"""What the incremental engine does, against an engine in plain Python; and that faults are seen."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from golden import datm, min_tree
from golden.dau import Points
from golden.options import MatchOptions
from golden.qe import Quantized
from golden.spread import spread
from software.study import statistics
from software.study.statistics import Statistics, count_match
from software.study.two_nearest import TwoNearest, two_nearest
from software.tests.study.slow_engine import SlowEngine

TO_THE_END = MatchOptions(epsilon=0, max_iterations=50)


def quantized(q: Tensor, weight: Tensor) -> Quantized:
    """Quantised tokens straight from levels."""
    channels = q.shape[1]
    return Quantized(q.to(torch.uint8), weight.long(), torch.ones(channels), torch.arange(channels))


def uniform(num_tokens: int, channels: int, seed: int, most: int = 15) -> Quantized:
    generator = torch.Generator().manual_seed(seed)
    return quantized(
        torch.randint(most + 1, (num_tokens, channels), generator=generator),
        torch.randint(256, (channels,), generator=generator),
    )


def clusters(num_tokens: int, channels: int, count: int, seed: int) -> Quantized:
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randint(2, 14, (count, channels), generator=generator)
    of = torch.randint(count, (num_tokens,), generator=generator)
    noise = torch.randint(-2, 3, (num_tokens, channels), generator=generator)
    return quantized(centre[of] + noise, torch.full((channels,), 255))


def alike(num_tokens: int, channels: int) -> Quantized:
    return quantized(torch.full((num_tokens, channels), 7), torch.ones(channels))


CASES: dict[str, tuple[Quantized, int, MatchOptions]] = {
    "uniform": (uniform(80, 6, 1), 13, TO_THE_END),
    "another seed": (uniform(80, 6, 1), 13, replace(TO_THE_END, seed=9)),
    "spread": (uniform(80, 6, 1), 13, replace(TO_THE_END, spread=True)),
    "ties": (uniform(90, 3, 2, most=1), 11, TO_THE_END),
    "more ties": (uniform(90, 2, 4, most=2), 20, replace(TO_THE_END, seed=3)),
    "ties with slots that stayed": (uniform(60, 1, 54), 8, TO_THE_END),
    "clusters": (clusters(120, 5, 8, 3), 8, TO_THE_END),
    "many small clusters": (clusters(120, 5, 30, 5), 40, TO_THE_END),
    "all alike": (alike(30, 4), 7, TO_THE_END),
    "one slot": (uniform(25, 4, 6), 1, TO_THE_END),
    "two slots": (clusters(60, 4, 5, 7), 2, TO_THE_END),
    "one src": (uniform(12, 4, 8), 11, TO_THE_END),
    "a list": (uniform(40, 4, 9), 3, replace(TO_THE_END, init=[30, 2, 17])),
    "ends early": (uniform(80, 6, 10), 9, MatchOptions(epsilon=0.05)),
    "one pairing": (uniform(40, 4, 11), 5, MatchOptions(max_iterations=1)),
}


def count_all() -> list[Statistics]:
    return [count_match(*case) for case in CASES.values()]


def first_dst(tokens: Quantized, num_dst: int, options: MatchOptions) -> list[int]:
    if options.spread:
        listed: list[int] = spread(tokens, num_dst, options.seed).tolist()
        return listed
    once = MatchOptions(seed=options.seed, init=options.init, max_iterations=1)
    return datm.match(tokens, num_dst, 0, once).medoids.tolist()


@pytest.mark.parametrize("name", CASES)
def test_the_counts_are_those_of_an_engine_in_plain_python(name: str) -> None:
    tokens, num_dst, options = CASES[name]
    found = count_match(tokens, num_dst, options)
    slow = SlowEngine(tokens.q.tolist(), tokens.weight.tolist(), first_dst(*CASES[name]))
    for turn, pairing in enumerate(found.pairings):
        nothing: dict[str, Any] = {"moved_chunks": (), "full_chunks": ()}
        assert slow.pair() | nothing == asdict(pairing), turn
        assert sum(loss for loss, _, _ in slow.known.values()) == found.loss_history[turn]
        if turn < len(found.updates):
            assert slow.update() == asdict(found.updates[turn]), turn
    if len(found.updates) == len(found.pairings):
        assert not slow.moved


def test_groups_that_are_too_long_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "KEPT_MEMBERS", 9)
    tokens, num_dst, options = CASES["uniform"]
    found = count_match(tokens, num_dst, options)
    slow = SlowEngine(tokens.q.tolist(), tokens.weight.tolist(), first_dst(*CASES["uniform"]))
    slow.most_kept = 9
    for update in found.updates:
        slow.pair()
        assert slow.update()["long"] == update.long
    assert sum(len(update.long) for update in found.updates) > 1


@pytest.mark.parametrize("name", CASES)
def test_the_match_is_goldens(name: str) -> None:
    tokens, num_dst, options = CASES[name]
    found, match = count_match(tokens, num_dst, options), datm.match(tokens, num_dst, 0, options)
    assert found.loss_history == match.loss_history
    assert len(found.pairings) == match.iterations
    assert (found.tokens, found.channels, found.num_dst) == (*tokens.q.shape, num_dst)


def test_the_cases_reach_every_branch() -> None:
    """Src in doubt beside those that were dst; groups that are left alone; slots that all stay."""
    found = count_all()
    later = [each for match in found for each in match.pairings[1:]]
    assert any(each.full > each.moved for each in later)
    assert any(each.full == each.moved for each in later)
    assert all(each.full >= each.moved > 0 for each in later)
    assert any(update.groups < match.num_dst // 2 for match in found for update in match.updates)
    assert any(update.recounted > update.moved > 0 for match in found for update in match.updates)
    assert any(len(match.updates) == len(match.pairings) > 3 for match in found)
    assert any(len(match.updates) < len(match.pairings) for match in found)


def test_work_in_full_pairings() -> None:
    Pairing = statistics.PairingCount  # noqa: N806
    found = Statistics(
        10, 4, 2, (5, 4), (Pairing(0, 0, 8, 8), Pairing(1, 7, 3, 2)), (), seconds=0.0
    )
    assert found.full_pairings == 1 + (7 * 1 + 3 * 2) / 16
    assert found.as_dict()["full_pairings"] == 1.8125


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = count_all()
    monkeypatch.setattr(min_tree, "SRC_BLOCK", 7)
    monkeypatch.setattr(min_tree, "SLOT_BLOCK", 3)
    monkeypatch.setattr(min_tree, "SLOT_VALUES", 2 * 3 * 5)
    for found, expected in zip(count_all(), whole, strict=True):
        assert replace(found, seconds=expected.seconds) == expected


@pytest.mark.parametrize("most", [1, 15])
def test_two_nearest(most: int) -> None:
    tokens = uniform(50, 3, 12, most)
    src, dst = torch.arange(20, 50), torch.arange(15, -1, -1)
    slots = torch.tensor([1, 4, 5, 9, 15])
    found = two_nearest(Points(tokens), src, dst, slots)
    norm = Points(tokens).norm[src]
    slow = SlowEngine(tokens.q.tolist(), tokens.weight.tolist(), dst.tolist())
    expected = [slow.nearest(token, slots.tolist()) for token in src.tolist()]
    assert [
        (int(d), int(s), int(b))
        for d, s, b in zip(found.distance + norm, found.slot, found.second + norm, strict=True)
    ] == expected


def test_two_nearest_of_little() -> None:
    points, dst = Points(uniform(9, 3, 13)), torch.arange(4)
    one = two_nearest(points, torch.arange(4, 9), dst, torch.tensor([2]))
    assert one.slot.tolist() == [2] * 5
    assert one.second.isinf().all()
    nothing = two_nearest(points, torch.arange(4, 9), dst, dst[:0])
    assert nothing.slot.tolist() == [-1] * 5
    assert len(two_nearest(points, dst[:0], dst, dst).slot) == 0


WRONG: dict[str, Any] = {
    "ties are taken": lambda known, found: found.distance > known.second,
    "nothing is in doubt": lambda known, found: torch.zeros_like(found.slot, dtype=torch.bool),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(statistics, "in_doubt", WRONG[name])
    with pytest.raises(AssertionError, match=r"token \d+ is paired with slot \d+ at \d+, but slot"):
        count_all()


def test_a_wrong_bound_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    merge = TwoNearest.merge
    monkeypatch.setattr(
        TwoNearest, "merge", lambda self, other: replace(merge(self, other), second=self.second)
    )
    with pytest.raises(AssertionError, match="is paired with slot"):
        count_all()


def test_a_group_that_is_skipped_wrongly_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "LEAST_MEMBERS", 4)
    with pytest.raises(AssertionError, match=r"slot \d+ moves, but its group is skipped"):
        count_all()


def test_the_dict_is_json_and_progress_is_told() -> None:
    told: list[str] = []
    found = count_match(*CASES["uniform"], told.append)
    content = json.loads(json.dumps(found.as_dict()))
    assert content["iterations"] == len(content["loss_history"]) == len(content["pairings"])
    expected = asdict(found.pairings[1]) | {"moved_chunks": [], "full_chunks": []}
    assert content["pairings"][1] == expected
    assert content["updates"][0] == asdict(found.updates[0]) | {"long": []}
    assert told == [f"{each.moved} slots moved" for each in found.pairings]


@pytest.mark.parametrize(
    ("num_dst", "options", "rule"),
    [
        (0, {}, "num_dst is 0; it must be at least 1"),
        (40, {}, "num_dst is 40; it must be less than"),
        (2, {"init": [1, 1]}, "lists token 1 twice"),
    ],
)
def test_bad_input(num_dst: int, options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        count_match(uniform(40, 4, 14), num_dst, MatchOptions(**options))
