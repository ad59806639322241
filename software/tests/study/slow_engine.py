"""The incremental engine in plain Python, a src at a time, on sets and lists: nothing of torch."""

from dataclasses import dataclass, field
from typing import Any

Token = list[int]
INFINITE = 1 << 62


@dataclass
class SlowEngine:
    """Follows a match, pairing by pairing.

    Attributes:
        tokens: levels [N][D].
        weight: of each channel.
        dst: the token of each slot.
        known: of each src, its least distance, that slot, and the bound on all other slots.
        group: of each token, its slot at the last pairing; None before the first.
        built: the groups of the last update.
        most_kept: members of the largest group that is not read again.
        moved: slots that the last update moved.
    """

    tokens: list[Token]
    weight: list[int]
    dst: list[int]
    known: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    group: dict[int, int | None] = field(default_factory=dict)
    built: list[frozenset[int]] = field(default_factory=list)
    most_kept: int = 128
    moved: list[int] = field(default_factory=list)

    def distance(self, one: int, other: int) -> int:
        """Weighted squared distance of two tokens."""
        pairs = zip(self.weight, self.tokens[one], self.tokens[other], strict=True)
        return sum(w * (a - b) ** 2 for w, a, b in pairs)

    def nearest(self, src: int, slots: list[int]) -> tuple[int, int, int]:
        """Least distance, its lowest slot, and the second least distance."""
        ordered = sorted((self.distance(src, self.dst[slot]), slot) for slot in slots)
        second = ordered[1][0] if len(ordered) > 1 else INFINITE
        return *ordered[0], second

    def pair(self) -> dict[str, int]:
        """Pair every src; what it took, by name."""
        everything = list(range(len(self.dst)))
        known: dict[int, tuple[int, int, int]] = {}
        compared = full = joined = 0
        for src in sorted(set(range(len(self.tokens))) - set(self.dst)):
            if src in self.known:
                compared += 1
                known[src] = self.known[src]
                if self.moved:
                    settled = self.settle(self.known[src], self.nearest(src, self.moved))
                    if settled is None:
                        full += 1
                    known[src] = settled or self.nearest(src, everything)
            else:
                full += 1
                known[src] = self.nearest(src, everything)
            joined += known[src][1] != self.group.get(src)
        self.known = known
        self.group = {src: slot for src, (_, slot, _) in known.items()}
        self.group |= {token: slot for slot, token in enumerate(self.dst)}
        return {"moved": len(self.moved), "compared": compared, "full": full, "joined": joined}

    def settle(
        self, known: tuple[int, int, int], found: tuple[int, int, int]
    ) -> tuple[int, int, int] | None:
        """What is known of a src after it met the moved slots; None if it must meet them all."""
        (least, slot, bound), (least_moved, slot_moved, second_moved) = known, found
        if slot not in self.moved:
            first, last = sorted([(least, slot), (least_moved, slot_moved)])
            return *first, min(bound, second_moved, last[0])
        if least_moved < bound:
            return least_moved, slot_moved, min(bound, second_moved)
        return None

    def update(self) -> dict[str, Any]:
        """Move slots to their medoids; what was rebuilt, by name."""
        groups = [
            frozenset(token for token, slot in self.group.items() if slot == wanted)
            for wanted in range(len(self.dst))
        ]
        rebuilt = [
            slot for slot, group in enumerate(groups)
            if len(group) >= 3 and (not self.built or group != self.built[slot])
        ]  # fmt: skip
        before = self.built or [frozenset([token]) for token in self.dst]
        self.built, self.moved = groups, []
        for slot in rebuilt:
            cost = {
                token: sum(self.distance(token, each) for each in groups[slot])
                for token in groups[slot]
            }
            if min(cost.values()) < cost[self.dst[slot]]:
                self.dst[slot] = min(cost, key=lambda token: (cost[token], token))
                self.moved.append(slot)
        sizes = [len(groups[slot]) for slot in rebuilt]
        recounted = [
            slot for slot, group in enumerate(groups)
            if len(group) != len(before[slot]) and slot not in self.moved
        ]  # fmt: skip
        long = [
            (sum(len(group) for group in groups[:slot]), len(groups[slot]))
            for slot in rebuilt if len(groups[slot]) > self.most_kept
        ]  # fmt: skip
        return {
            "groups": len(sizes), "members": sum(sizes), "largest": max(sizes, default=0),
            "moved": len(self.moved), "recounted": len(recounted), "long": tuple(long),
        }  # fmt: skip
