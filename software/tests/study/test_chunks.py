"""How far comparisons go, against sums in plain Python."""

import pytest
import torch

from golden.dau import Points
from golden.options import MatchOptions
from software.study import chunks
from software.study.chunks import Lanes, chunks_needed
from software.study.statistics import count_match
from software.tests.study.slow_engine import INFINITE, SlowEngine
from software.tests.study.test_statistics import CASES, TO_THE_END, clusters, first_dst, uniform

LANES = Lanes(dst_lanes=3, src_lanes=4, channel_lanes=2)


def slow_chunks(
    engine: SlowEngine, src: list[int], dst: list[int], lanes: Lanes, bound: dict[int, int] | None
) -> list[int]:
    """A comparison at a time, a chunk at a time."""
    channels = len(engine.weight)
    ends = range(0, channels, lanes.channel_lanes)
    found = [0] * (len(ends) + 1)
    for at in range(0, len(src), lanes.src_lanes):
        group = src[at : at + lanes.src_lanes]
        seen: dict[int, list[int]] = {token: [] for token in group}
        for first in range(0, len(dst), lanes.dst_lanes):
            tile = dst[first : first + lanes.dst_lanes]
            limit = {}
            for token in group:
                nearest = sorted(seen[token])
                limit[token] = nearest[1] if len(nearest) > 1 else INFINITE
                if bound is not None:
                    limit[token] = min(limit[token], bound[token])
            place = len(ends)
            for chunk, start in enumerate(ends):
                some = range(min(start + lanes.channel_lanes, channels))
                if all(
                    sum(
                        engine.weight[c] * (engine.tokens[token][c] - engine.tokens[other][c]) ** 2
                        for c in some
                    )
                    > limit[token]
                    for token in group
                    for other in tile
                ):
                    place = chunk
                    break
            found[place] += 1
            for token in group:
                seen[token] += [engine.distance(token, other) for other in tile]
    return found


@pytest.mark.parametrize(
    "name",
    ["uniform", "ties", "clusters", "many small clusters", "all alike", "one slot", "a list"],
)
@pytest.mark.parametrize("lanes", [LANES, Lanes(1, 1, 4), Lanes(5, 2, 1)])
def test_counts_are_those_of_plain_python(name: str, lanes: Lanes) -> None:
    tokens, num_dst, options = CASES[name]
    found = count_match(tokens, num_dst, options, lanes=lanes)
    slow = SlowEngine(tokens.q.tolist(), tokens.weight.tolist(), first_dst(*CASES[name]))
    for turn, pairing in enumerate(found.pairings):
        src = sorted(set(range(len(slow.tokens))) - set(slow.dst))
        known = dict(slow.known)
        seen = [token for token in src if token in known]
        full = src
        if slow.moved:
            moved = [slow.dst[slot] for slot in slow.moved]
            bound = {token: known[token][2] for token in seen}
            expected = slow_chunks(slow, seen, moved, lanes, bound)
            assert list(pairing.moved_chunks) == expected, turn
            full = [
                token for token in src
                if token not in known
                or slow.settle(known[token], slow.nearest(token, slow.moved)) is None
            ]  # fmt: skip
        assert list(pairing.full_chunks) == slow_chunks(slow, full, slow.dst, lanes, None), turn
        slow.pair()
        if turn < len(found.updates):
            slow.update()


def test_comparisons_end_early() -> None:
    """Of clusters that lie apart most comparisons need a chunk; the first needs all."""
    tokens = clusters(120, 24, 8, 3)
    found = count_match(tokens, 8, TO_THE_END, lanes=LANES).pairings[0].full_chunks
    assert len(found) == 13
    assert sum(found) == 28 * 3
    assert found[-1] >= 28
    assert sum(found[:-1]) > 0


def test_every_pair_is_counted_anew() -> None:
    found = count_match(*CASES["uniform"], lanes=LANES, every_pair=True)
    plain = count_match(*CASES["uniform"])
    assert found.loss_history == plain.loss_history
    assert found.updates == plain.updates
    assert [each.full for each in found.pairings] == [67] * len(plain.pairings)
    assert all(each.moved == 0 and each.moved_chunks == () for each in found.pairings)
    assert [each.joined for each in found.pairings] == [each.joined for each in plain.pairings]


def test_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = uniform(200, 6, 1)
    points, src, dst = Points(tokens), torch.arange(40, 200), torch.arange(20)
    lanes = Lanes(3, 4, 2, most_groups=5)
    found = chunks_needed(points, src, dst, lanes)
    assert sum(found) == 5 * 7
    groups = [torch.arange(4 * each, 4 * each + 4) for each in (4, 12, 20, 28, 36)]
    of_each = [chunks_needed(points, src[group], dst, Lanes(3, 4, 2)) for group in groups]
    assert found == tuple(map(sum, zip(*of_each, strict=True)))
    monkeypatch.setattr(chunks, "_TILE_VALUES", 100)
    assert chunks_needed(points, src, dst, lanes) == found


@pytest.mark.parametrize("name", ["dst_lanes", "src_lanes", "channel_lanes"])
def test_bad_lanes(name: str) -> None:
    sizes = {"dst_lanes": 1, "src_lanes": 1, "channel_lanes": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        Lanes(**sizes)


def test_without_lanes_nothing_is_counted() -> None:
    found = count_match(uniform(40, 4, 14), 5, MatchOptions())
    assert all(each.full_chunks == () for each in found.pairings)
