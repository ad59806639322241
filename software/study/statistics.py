"""What an incremental match does on some tokens, counted: the figures that a cycle model needs.

The engine remembers of each src its least distance, and from below how far every other slot is. So
after an update it compares with the slots that moved, and only where that leaves doubt with all of
them; and it rebuilds only groups whose members changed. Neither may change a result: the pairs of
every pairing are held against golden's, which compares everything, and so are the slots that stay.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from golden import convergence, datm, sampler, validate
from golden.ambient import in_plain_mode
from golden.dau import Points
from golden.options import MatchOptions
from golden.qe import Quantized
from golden.spread import farthest_first
from golden.update import update
from software.study.chunks import Lanes, chunks_needed
from software.study.two_nearest import TwoNearest, two_nearest

Watch = Callable[[Points, Tensor, Tensor, Tensor | None], None]
"""``watch(points, src, dst, bound)``, called before each pass, with what `chunks_needed` takes."""

LEAST_MEMBERS = 3
"""Members of a group that may move its dst: of two, both are as near to their mean."""
KEPT_MEMBERS = 128
"""Members of the largest group whose tokens the engine keeps while it scans (`RING_TOKENS` of
hw/refine/run_reader.py): the records of a larger one are read again, once for each round."""


@dataclass(frozen=True)
class PairingCount:
    """One pairing.

    Attributes:
        moved: slots that moved since the pairing before; 0 at the first.
        compared: src that were compared with these slots: those that were src before.
        full: src that were compared with all slots: at first all of them, then those that were dst
            before and those that the moved slots leave in doubt.
        joined: src whose slot is another than before, at first all.
        moved_chunks: where lanes are given, `chunks_needed` of the pass over the slots that moved.
        full_chunks: of the pass over all slots.
    """

    moved: int
    compared: int
    full: int
    joined: int
    moved_chunks: tuple[int, ...] = ()
    full_chunks: tuple[int, ...] = ()


@dataclass(frozen=True)
class UpdateCount:
    """One update.

    Attributes:
        groups: groups that are rebuilt: of 3 members or more, not those of the update before.
        members: of these groups, dst included.
        largest: members of the largest of them.
        moved: slots that move.
        recounted: other slots whose group has another number of src than at the update before, or
            any at the first.
        long: of the rebuilt groups of more than `KEPT_MEMBERS` members, in slot order: members of
            all groups before it, and its own.
    """

    groups: int
    members: int
    largest: int
    moved: int
    recounted: int
    long: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Statistics:
    """A match, counted.

    Attributes:
        tokens: N.
        channels: D.
        num_dst: M.
        loss_history: L of each pairing.
        pairings: each of them.
        updates: each of them; the last may be one that moved no slot, and no pairing follows it.
        seconds: that the counting took.
    """

    tokens: int
    channels: int
    num_dst: int
    loss_history: tuple[int, ...]
    pairings: tuple[PairingCount, ...]
    updates: tuple[UpdateCount, ...]
    seconds: float

    @property
    def full_pairings(self) -> float:
        """Distances of all pairings, in those of one pairing of all src with all slots."""
        formed = sum(
            each.compared * each.moved + each.full * self.num_dst for each in self.pairings
        )
        return formed / ((self.tokens - self.num_dst) * self.num_dst)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON takes it."""
        return {
            **asdict(self),
            "iterations": len(self.pairings),
            "full_pairings": round(self.full_pairings, 4),
            "seconds": round(self.seconds, 3),
        }


class IncrementalPairing:
    """Pairs src anew by what is known of them from the pairing before.

    Args:
        points: the token set.
        lanes: how src and slots meet in the engine; None where it is not of interest.
        every_pair: forget all that is known before each pairing.
        watch: called before each pass.

    Attributes:
        known: of each token [N], its least distance (less its own squared norm), the slot that has
            it, and a bound from below on the distance to every other slot; of a dst, its slot.
    """

    def __init__(
        self,
        points: Points,
        lanes: Lanes | None = None,
        *,
        every_pair: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self._points, self._lanes, self._every_pair = points, lanes, every_pair
        self._watch = watch
        self._dst: Tensor | None = None
        self.known = TwoNearest.none(len(points.tokens))

    def pair(self, dst: Tensor) -> PairingCount:
        """Pair every src with its nearest slot.

        Args:
            dst: int64 [M], the token of each slot; a slot that moved took a member of its group.
        """
        src = datm.other_tokens(len(self._points.tokens), dst)
        before, slots = self.known.slot.clone(), torch.arange(len(dst))
        moved, seen = slots[:0], src[:0]
        full = src
        moved_chunks: tuple[int, ...] = ()
        if self._dst is not None and not self._every_pair:
            moved, seen = slots[dst != self._dst], src[~torch.isin(src, self._dst)]
            bound = self.known.second[seen] + self._points.norm[seen]
            moved_chunks = self._chunks(seen, dst[moved], bound)
            doubtful = self._compare_with_moved(seen, dst, moved)
            full = torch.cat([self._dst[moved], doubtful]).sort().values
        full_chunks = self._chunks(full, dst)
        self.known.put(full, two_nearest(self._points, full, dst, slots))
        self.known.slot[dst] = slots
        self._dst = dst
        joined = int((self.known.slot[src] != before[src]).sum())
        return PairingCount(len(moved), len(seen), len(full), joined, moved_chunks, full_chunks)

    def _chunks(self, src: Tensor, dst: Tensor, bound: Tensor | None = None) -> tuple[int, ...]:
        if self._watch is not None:
            self._watch(self._points, src, dst, bound)
        if self._lanes is None:
            return ()
        return chunks_needed(self._points, src, dst, self._lanes, bound)

    def _compare_with_moved(self, src: Tensor, dst: Tensor, moved: Tensor) -> Tensor:
        """Compare src with the moved slots; returns those that this leaves in doubt."""
        known, found = self.known.take(src), two_nearest(self._points, src, dst, moved)
        lost = torch.isin(known.slot, moved)
        # All other slots that stayed are as far as the bound or farther: a src that lost its slot
        # to a move has a new one where a moved slot is nearer than all of them.
        renewed = TwoNearest(found.distance, found.slot, torch.minimum(known.second, found.second))
        self.known.put(src, renewed.where(lost, known.merge(found)))
        return src[lost & in_doubt(known, found)]


def in_doubt(known: TwoNearest, found: TwoNearest) -> Tensor:
    """Whether some slot that stayed may be nearest of all to a src that lost its own: bool [S]."""
    return found.distance >= known.second


@dataclass(frozen=True)
class Groups:
    """The groups of an update, by slot.

    Attributes:
        members: int64 [M], of each, dst included.
        rebuilt: bool [M], whether its medoid is found anew.
        recounted: bool [M], whether its number of members is another than before.
    """

    members: Tensor
    rebuilt: Tensor
    recounted: Tensor

    def count(self, moved: Tensor) -> UpdateCount:
        """What is reported of them, where the slots ``moved``, bool [M], get another dst."""
        sizes, first = self.members[self.rebuilt], self.members.cumsum(0) - self.members
        long = self.rebuilt & (self.members > KEPT_MEMBERS)
        return UpdateCount(
            groups=len(sizes),
            members=int(sizes.sum()),
            largest=max(sizes.tolist(), default=0),
            moved=int(moved.sum()),
            recounted=int((self.recounted & ~moved).sum()),
            long=tuple(zip(first[long].tolist(), self.members[long].tolist(), strict=True)),
        )


class ChangedGroups:
    """Finds the groups that an update must rebuild: an unchanged one keeps its medoid."""

    def __init__(self, num_tokens: int, num_dst: int) -> None:
        self._slot = torch.full((num_tokens,), -1)
        self._members = torch.ones(num_dst, dtype=torch.int64)

    def since_last(self, slot: Tensor) -> Groups:
        """The groups.

        Args:
            slot: int64 [N], the slot of each token, dst tokens included.
        """
        num_dst = len(self._members)
        went = slot != self._slot
        left = self._slot[went]
        changed = torch.zeros(num_dst, dtype=torch.bool)
        changed[slot[went]] = True
        changed[left[left >= 0]] = True
        self._slot = slot.clone()
        before, self._members = self._members, torch.bincount(slot, minlength=num_dst)
        rebuilt = changed & (self._members >= LEAST_MEMBERS)
        return Groups(self._members, rebuilt, self._members != before)


@in_plain_mode
def count_match(
    tokens: Quantized,
    num_dst: int,
    options: MatchOptions = MatchOptions(),
    progress: Callable[[str], None] = lambda _: None,
    *,
    lanes: Lanes | None = None,
    every_pair: bool = False,
    watch: Watch | None = None,
) -> Statistics:
    """Match tokens as golden.datm does, and count what the incremental engine would do.

    Args:
        tokens: [N, D].
        num_dst: M, 1..N - 1.
        options: how to start and when to stop.
        progress: called with what was done, after each pairing.
        lanes: count how far the engine's comparisons go, too.
        every_pair: count an engine that keeps no distance from the pairing before.
        watch: called before each pass.

    Raises:
        ValueError: any of the above out of its range.
        AssertionError: the rule gives another result than comparing everything.
    """
    begun = time.perf_counter()
    points = Points(tokens)
    dst = _first_dst(points, num_dst, options)
    incremental = IncrementalPairing(points, lanes, every_pair=every_pair, watch=watch)
    changed = ChangedGroups(len(points.tokens), num_dst)
    history: list[int] = []
    pairings: list[PairingCount] = []
    updates: list[UpdateCount] = []
    while True:
        pairings.append(incremental.pair(dst))
        plain = datm.pair(points, dst)
        _check_pairs(points, incremental.known, plain, dst)
        history.append(int(plain.total))
        progress(f"{pairings[-1].moved:,} slots moved")
        if len(history) == options.max_iterations:
            break
        if len(history) > 1 and convergence.converged(
            history[-2], history[-1], options.epsilon_q16
        ):
            break
        groups = changed.since_last(plain.slot)
        after = update(points, plain.slot, dst)
        updates.append(groups.count(after != dst))
        _check_skipped(dst, after, groups.rebuilt)
        if torch.equal(after, dst):
            break
        dst = after
    num_tokens, channels = points.tokens.shape
    return Statistics(
        num_tokens, channels, num_dst, tuple(history), tuple(pairings), tuple(updates),
        time.perf_counter() - begun,
    )  # fmt: skip


def _first_dst(points: Points, num_dst: int, options: MatchOptions) -> Tensor:
    num_tokens = len(points.tokens)
    validate.check_sizes(num_tokens, num_dst, 0)
    if options.init is not None:
        return torch.tensor(validate.check_init(options.init, num_tokens, num_dst))
    if options.spread:
        return farthest_first(points, num_dst, options.seed)
    return sampler.sample(num_tokens, num_dst, options.seed)


def _check_pairs(points: Points, found: TwoNearest, plain: datm.Pairing, dst: Tensor) -> None:
    """Hold every pair against golden's, which compares every src with every slot."""
    distance = found.distance + points.norm
    distance[dst] = 0
    wrong = (found.slot != plain.slot) | (distance != plain.loss)
    if wrong.any():
        token = int(wrong.nonzero()[0])
        raise AssertionError(
            f"token {token} is paired with slot {int(found.slot[token])} at"
            f" {float(distance[token]):.0f}, but slot {int(plain.slot[token])} has"
            f" {int(plain.loss[token])}."
        )


def _check_skipped(dst: Tensor, after: Tensor, rebuilt: Tensor) -> None:
    """Hold the groups that are not rebuilt against golden's update, which rebuilds all."""
    wrong = (dst != after) & ~rebuilt
    if wrong.any():
        raise AssertionError(f"slot {int(wrong.nonzero()[0])} moves, but its group is skipped.")
