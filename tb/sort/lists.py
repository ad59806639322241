"""Random lists to sort, of records and of entries, and what is to become of them."""

import random
from dataclasses import dataclass
from typing import Any

import torch

from golden.topk import topk
from hw.config import RECORD_BITS, RECORD_FIELDS
from hw.sort.record_source import RecordSource
from hw.words import entry, member_record, pair_record
from tb.layouts import encode

ONES = (1 << RECORD_BITS) - 1


def random_losses(count: int, pick: random.Random) -> list[int]:
    """Wide losses, or few so that ties abound, or in order already."""
    kind = pick.randrange(4)
    largest = (1 << RECORD_FIELDS["loss"]) - 1
    top = [largest, 3, 0, largest][kind]
    losses = [pick.randint(0, top) for _ in range(count)]
    if kind == 3:
        losses.sort(reverse=pick.random() < 0.5)
    return losses


def random_entries(count: int, pick: random.Random) -> list[dict[str, int]]:
    """Entries with anything in the fields that a record does not take, and few or many slots."""
    slots = pick.choice([2, 1 << RECORD_FIELDS["dst"]])
    return [
        {
            **{name: pick.getrandbits(field.width) for name, field in entry()},
            "loss": loss,
            "slot": pick.randrange(slots),
        }
        for loss in random_losses(count, pick)
    ]


def group_record(token: int, given: dict[str, int]) -> int:
    """The token as a member of its group."""
    return encode(
        member_record(),
        {
            "count": given["count"] if given["is_dst"] else 0,
            "joined": 0 if given["is_dst"] else given["joined"],
            "token": token,
            "is_src": 1 - given["is_dst"],
            "slot": given["slot"],
            "zero": 0,
        },
    )


def src_record(token: int, given: dict[str, int]) -> int:
    """The pair of a src, its slot in the place of the dst; all-ones for a dst."""
    if given["is_dst"]:
        return ONES
    return encode(pair_record(), {"dst": given["slot"], "src": token, "loss": given["loss"]})


@dataclass(frozen=True)
class Case:
    """A list: its ``source``, what is ``given``, and the ``expected`` records, ``keep`` of them."""

    source: Any
    given: list[Any]
    keep: int
    expected: list[int]


def of_words(count: int, keep: int, pick: random.Random) -> Case:
    """Records of distinct src: wide losses, or few so that ties abound, or in order already."""
    losses = random_losses(count, pick)
    sources = pick.sample(range((1 << RECORD_FIELDS["src"]) - 1), count)
    slots = [pick.getrandbits(RECORD_FIELDS["dst"]) for _ in range(count)]
    records = [
        encode(pair_record(), {"dst": slot, "src": src, "loss": loss})
        for slot, src, loss in zip(slots, sources, losses, strict=True)
    ]
    expected = golden_least(records, losses, sources, keep)
    return Case(RecordSource.WORDS, records, keep, expected)


def of_pairs(count: int, keep: int, pick: random.Random) -> Case:
    """Entries of which some are a dst's; at most all others are kept."""
    given = random_entries(count, pick)
    tokens = [token for token in range(count) if not given[token]["is_dst"]]
    losses = [given[token]["loss"] for token in tokens]
    records = [src_record(token, given[token]) for token in tokens]
    keep = min(keep, len(tokens))
    return Case(RecordSource.PAIRS, given, keep, golden_least(records, losses, tokens, keep))


def of_groups(count: int, keep: int, pick: random.Random) -> Case:
    """Entries whose runs by slot are wanted: the dst first, then the src, ascending."""
    given = random_entries(count, pick)
    order = sorted(
        range(count), key=lambda token: (given[token]["slot"], not given[token]["is_dst"], token)
    )
    records = [group_record(token, given[token]) for token in order]
    return Case(RecordSource.GROUPS, given, keep, records[:keep])


CASES = {
    RecordSource.WORDS: of_words,
    RecordSource.PAIRS: of_pairs,
    RecordSource.GROUPS: of_groups,
}


def golden_least(records: list[int], losses: list[int], sources: list[int], keep: int) -> list[int]:
    """The ``keep`` least records by the golden top-k."""
    by_src = dict(zip(sources, records, strict=True))
    order = topk(
        torch.tensor(losses, dtype=torch.int64), torch.tensor(sources, dtype=torch.int64), keep
    )[1]
    return [by_src[token] for token in order.tolist()]
