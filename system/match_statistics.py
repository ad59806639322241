"""What a match does to the engine, counted: as ``orbis statistics`` writes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class PairingCount:
    """A pairing: ``moved`` slots, ``compared`` src with them, ``full`` src with all slots.

    Attributes:
        moved_chunks: of a sample of the comparisons of a group of src with a tile of the slots that
            moved, how many are decided by 1, 2, ... chunks, and, lastly, by none; () is unknown.
        full_chunks: of those with all slots.
    """

    moved: int
    compared: int
    full: int
    moved_chunks: tuple[int, ...] = ()
    full_chunks: tuple[int, ...] = ()


@dataclass(frozen=True)
class UpdateCount:
    """An update.

    Attributes:
        groups: groups that are rebuilt, and ``members`` of all of them, dst included.
        moved: slots whose dst moves; ``recounted``: others whose number of members has changed.
        long: of each group whose records are read again, the first record, and how many.
    """

    groups: int
    members: int
    moved: int
    recounted: int
    long: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class MatchStatistics:
    """A match: N ``tokens``, D ``channels``, M ``num_dst``, its pairings and updates in order.

    Attributes:
        scale_group: channels that share a scale.
        lanes: P, Q, C of the engine whose comparisons were counted, if some were.
    """

    tokens: int
    channels: int
    num_dst: int
    pairings: tuple[PairingCount, ...]
    updates: tuple[UpdateCount, ...]
    scale_group: int = 1
    lanes: tuple[int, int, int] | None = None

    @property
    def num_src(self) -> int:
        """N - M."""
        return self.tokens - self.num_dst

    @classmethod
    def from_dict(cls, content: Any) -> "MatchStatistics":
        """Read what ``orbis statistics`` wrote.

        Raises:
            ValueError: something else.
        """
        try:
            return cls(
                tokens=_count(content, "tokens"),
                channels=_count(content, "channels"),
                num_dst=_count(content, "num_dst"),
                pairings=tuple(
                    PairingCount(
                        _count(each, "moved"),
                        _count(each, "compared"),
                        _count(each, "full"),
                        tuple(map(int, each.get("moved_chunks", ()))),
                        tuple(map(int, each.get("full_chunks", ()))),
                    )
                    for each in content["pairings"]
                ),
                updates=tuple(
                    UpdateCount(
                        _count(each, "groups"),
                        _count(each, "members"),
                        _count(each, "moved"),
                        _count(each, "recounted"),
                        tuple((int(first), int(size)) for first, size in each["long"]),
                    )
                    for each in content["updates"]
                ),
                scale_group=_count(content, "scale_group") if "scale_group" in content else 1,
                lanes=_lanes(content.get("lanes")),
            ).checked()
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"the statistics are not those that orbis statistics writes: {_what(error)}."
            ) from error

    def checked(self) -> "MatchStatistics":
        """The same, if its numbers can be those of a match.

        Raises:
            ValueError: they cannot.
        """
        if not 1 <= self.num_dst < self.tokens:
            raise ValueError(f"the statistics have M {self.num_dst} of N {self.tokens} tokens.")
        if not self.pairings:
            raise ValueError("the statistics hold no pairing.")
        if len(self.updates) not in (len(self.pairings), len(self.pairings) - 1):
            raise ValueError(
                f"the statistics hold {len(self.updates)} updates of {len(self.pairings)} pairings."
            )
        for each in self.pairings:
            if each.moved > self.num_dst or max(each.compared, each.full) > self.num_src:
                raise ValueError("the statistics hold a pairing of too many src or slots.")
        return self

    def scaled(self, tokens: int, channels: int, num_dst: int) -> "MatchStatistics":
        """Those of a job of other sizes, in which all shares are the same.

        Src are shares of N - M, slots and groups of M, members of N. A group that is read again
        stays one, as large in tokens as before or larger with M / N.
        """
        src, slots = (tokens - num_dst) / self.num_src, num_dst / self.num_dst
        members = tokens / self.tokens
        pairings = tuple(
            PairingCount(
                min(num_dst, _share(each.moved, slots)), round(each.compared * src),
                _share(each.full, src), each.moved_chunks, each.full_chunks,
            )
            for each in self.pairings
        )  # fmt: skip
        updates = tuple(
            UpdateCount(
                round(each.groups * slots), round(each.members * members),
                _share(each.moved, slots), round(each.recounted * slots),
                tuple((round(f * members), round(n * members / slots)) for f, n in each.long),
            )
            for each in self.updates
        )  # fmt: skip
        return replace(
            self, tokens=tokens, channels=channels, num_dst=num_dst, pairings=pairings,
            updates=updates,
        )  # fmt: skip


def measured_names() -> list[str]:
    """Names of the counts that are shipped: of real video, as many tokens as a model's."""
    return sorted(path.name.removesuffix(".json") for path in _MEASURED.iterdir())


def measured(name: str) -> MatchStatistics:
    """Counts that are shipped, one of `measured_names`."""
    return MatchStatistics.from_dict(json.loads(_MEASURED.joinpath(f"{name}.json").read_text()))


_MEASURED = files("system") / "measured"


def _lanes(content: Mapping[str, Any] | None) -> tuple[int, int, int] | None:
    if content is None:
        return None
    dst, src, channels = (
        _count(content, name) for name in ("dst_lanes", "src_lanes", "channel_lanes")
    )
    return dst, src, channels


def _share(count: int, by: float) -> int:
    """A count of things that stay if there were any."""
    return max(1, round(count * by)) if count else 0


def _count(content: Mapping[str, Any], name: str) -> int:
    value = content[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} of the statistics is {value!r}; it must be a whole number.")
    return value


def _what(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
