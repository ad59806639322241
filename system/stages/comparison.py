"""Comparisons: how long the lanes are with Q src and P dst."""

from dataclasses import dataclass

from system.engine_shape import JobShape


@dataclass(frozen=True)
class Comparison:
    """A comparison of a group of Q src with a tile of P dst, C channels a cycle.

    It ends with its last chunk, or before: when every pair is beyond its src's limit. That shows
    `seen` cycles after the chunk that decides it, and not before `earliest`, as the limits of the
    group must have been looked up first.
    """

    job: JobShape

    @property
    def latency(self) -> int:
        """Cycles of the DAU, from a comparison's last chunk to its distances."""
        return 5

    @property
    def merge(self) -> int:
        """Cycles in which the distances of Q src are merged with what was found before."""
        engine = self.job.engine
        return engine.src_lanes + (engine.dst_lanes - 1).bit_length() + 3

    @property
    def drain(self) -> int:
        """Cycles from the last chunk until its distances have been merged."""
        return self.latency + 1 + self.merge

    @property
    def least(self) -> int:
        """Least cycles from a comparison to the next."""
        return max(self.merge, self.latency + 2)

    @property
    def seen(self) -> int:
        """Chunks that are taken beyond the one that decides."""
        return self.latency + 3

    @property
    def earliest(self) -> int:
        """Least chunks that are taken where a comparison ends before its last."""
        return self.drain + self.job.engine.src_lanes + 6

    def taken(self, needed: tuple[int, ...], waited: float = 0.0) -> float:
        """Mean chunks that are taken, where so many comparisons are decided by 1, 2, ... chunks.

        The last number is of those that are not; () is where nothing is known: all are whole. Those
        of rows of another length count by their share of the row. The limits are looked up while a
        comparison has ``waited`` for its dst.
        """
        chunks = self.job.chunks
        total = sum(needed)
        if not total:
            return chunks
        scale = chunks / (len(needed) - 1)
        taken = float(chunks * needed[-1])
        for place, count in enumerate(needed[:-1]):
            end = max((place + 1) * scale + self.seen, self.earliest - waited)
            taken += count * min(chunks, end)
        return taken / total

    def cycles(self, needed: tuple[int, ...], waited: float = 0.0) -> float:
        """Mean cycles of a comparison that has waited so long, up to the next."""
        return max(self.taken(needed, waited), self.least - waited)
