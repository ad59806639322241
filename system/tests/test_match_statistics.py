"""Counts are read as they are written, refused where they are others, and scaled by shares."""

import json
from typing import Any

import pytest

from system.match_statistics import MatchStatistics, PairingCount, UpdateCount, measured
from system.match_statistics import measured_names as names
from system.models import MODELS

CONTENT: dict[str, Any] = {
    "tokens": 100,
    "channels": 64,
    "num_dst": 20,
    "pairings": [
        {"moved": 0, "compared": 0, "full": 80, "joined": 80, "full_chunks": [4, 0, 6]},
        {"moved": 4, "compared": 76, "full": 9, "joined": 12, "moved_chunks": [1, 2, 3]},
    ],
    "updates": [
        {"groups": 12, "members": 70, "largest": 9, "moved": 4, "recounted": 10,
         "long": [[10, 40]]},
    ],
    "scale_group": 16,
    "lanes": {"dst_lanes": 4, "src_lanes": 3, "channel_lanes": 32, "most_groups": 5},
}  # fmt: skip


def changed(**parts: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(CONTENT)), **parts}


def test_reading() -> None:
    found = MatchStatistics.from_dict(CONTENT)
    assert found == MatchStatistics(
        100, 64, 20,
        (PairingCount(0, 0, 80, (), (4, 0, 6)), PairingCount(4, 76, 9, (1, 2, 3))),
        (UpdateCount(12, 70, 4, 10, ((10, 40),)),),
        16, (4, 3, 32),
    )  # fmt: skip
    assert found.num_src == 80
    bare = MatchStatistics.from_dict(changed(lanes=None, scale_group=1))
    assert bare.lanes is None


def test_scaling() -> None:
    """Twice the tokens, three times the dst: src are 140 of 80, slots 60 of 20."""
    found = MatchStatistics.from_dict(CONTENT).scaled(200, 32, 60)
    assert (found.tokens, found.channels, found.num_dst) == (200, 32, 60)
    assert found.pairings == (
        PairingCount(0, 0, 140, (), (4, 0, 6)), PairingCount(12, 133, 16, (1, 2, 3)),
    )  # fmt: skip
    assert found.updates == (UpdateCount(36, 140, 12, 30, ((20, 27),)),)
    same = MatchStatistics.from_dict(CONTENT)
    assert same.scaled(100, 64, 20) == same
    few = same.scaled(10, 64, 2)
    assert few.pairings[1].moved == 1  # What moved stays at least one.


BAD: dict[str, tuple[Any, str]] = {
    "a list": ([1, 2], "are not those that orbis statistics writes"),
    "an old file": (
        changed(updates=[{"groups": 1, "members": 3}]), "writes: 'moved' is missing",
    ),
    "a word": (changed(tokens="many"), "tokens of the statistics is 'many'"),
    "below 0": (changed(channels=-1), "channels of the statistics is -1"),
    "M = N": (changed(num_dst=100), "have M 100 of N 100 tokens"),
    "no pairing": (changed(pairings=[]), "hold no pairing"),
    "updates": (changed(updates=[]), "hold 0 updates of 2 pairings"),
    "too many": (
        changed(pairings=[{"moved": 21, "compared": 0, "full": 80}], updates=[]),
        "hold a pairing of too many src or slots",
    ),
    "lanes": (changed(lanes={"dst_lanes": 4}), "'src_lanes' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_counts(name: str) -> None:
    content, rule = BAD[name]
    with pytest.raises(ValueError, match=rule):
        MatchStatistics.from_dict(content)


def test_what_is_shipped() -> None:
    assert set(names()) <= set(MODELS)
    assert "cogvideox-5b" in names()
    for name in names():
        found, model = measured(name), MODELS[name]
        assert (found.tokens, found.channels) == (model.video_tokens, model.width)
        assert found.num_dst == model.num_dst
        assert found.lanes is not None
        assert sum(found.pairings[0].full_chunks) > 0
