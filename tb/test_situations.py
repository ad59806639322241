"""Situations of jobs that are known by hand; and docs have what is planned, all of it met."""

import json

import torch

from golden.options import MatchOptions
from hw.config import PRESETS
from tb.coverage import JSON, planned
from tb.jobs import MatchCase
from tb.situations import of_job

CONFIG = PRESETS["tiny"]


def on_a_line(places: list[int], init: tuple[int, ...], reduce: int = 1) -> MatchCase:
    """Tokens of one channel."""
    tokens = torch.tensor(places)[:, None].half()
    options = MatchOptions(init=init, epsilon=0)
    return MatchCase(CONFIG, tokens, len(init), reduce, options)


def test_one_pairing() -> None:
    """0 stands between 1 and 2, and is nearest to the mean."""
    found = of_job(on_a_line([7, 0, 15], (0,), 2))
    assert found == dict.fromkeys(
        [
            "M = 1", "K = N - M", "D = 1", "a chunk that channels do not fill",
            "a src tile that src do not fill", "a last dst tile that is short",
            "a list of the host", "ended as nothing moved", "one pairing",
        ],
        1,
    )  # fmt: skip


def test_a_tie_of_two_slots_and_of_two_losses() -> None:
    """Token 2 is as far from 0 as from 4, and its loss is token 3's."""
    found = of_job(on_a_line([0, 4, 2, 6, 15], (0, 1, 4)))
    assert found["two nearest slots at one distance"] == 1
    assert found["equal losses at the end of the list"] == 1
    assert found["a dst as near the mean as another member"] == 2


def test_a_src_after_an_update() -> None:
    """Slot 0 moves from 0 to 3; token 0 was its dst, tokens 2 and 4 keep it, slot 1 stays."""
    found = of_job(on_a_line([0, 3, 2, 15, 4], (0, 3)))
    assert found["a src that was a dst"] == 1
    assert found["own slot moved, a moved one is nearest"] == 2
    assert found["a group of its dst alone"] == 2


def test_what_is_planned_was_met() -> None:
    found = json.loads(JSON.read_text())
    assert found["situations"] == planned(shared_scales=True)
    for name, counts in found["met"].items():
        assert set(counts) == set(planned(shared_scales="SORT_CHANNELS" in str(counts)))
        assert all(counts.values()), name
