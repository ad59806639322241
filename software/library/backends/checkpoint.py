"""A long job kept now and then, so that one that was killed goes on where it was."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from software.library.files import replacing
from software.library.simulator import Simulator

_EVERY = 10_000_000
"""Cycles between two states that are kept."""


class Checkpoint:
    """The last state that was kept of one job.

    It goes by all that the job depends on, so that another job never goes on from it.

    Args:
        folder: where states are kept.
        parts: of the job: engine, memory, registers, tokens.
    """

    def __init__(self, folder: Path, parts: Iterable[bytes]):
        digest = hashlib.sha256()
        for part in parts:
            digest.update(hashlib.sha256(part).digest())
        self.path = folder / f"{digest.hexdigest()[:32]}.state"
        self._kept = 0

    def restore(self, simulator: Simulator) -> bool:
        """Go on from what is kept; returns whether something is.

        Raises:
            OSError: it cannot be read.
        """
        if not self.path.exists():
            return False
        simulator.restore(self.path)
        self._kept = simulator.cycles
        return True

    def keep(self, simulator: Simulator) -> None:
        """Keep the present state, unless the last one is young.

        Raises:
            ValueError: the folder cannot be written to.
            OSError: the state cannot be written.
        """
        if simulator.cycles - self._kept < _EVERY:
            return
        with replacing(self.path) as partial:
            simulator.save(partial)
        self._kept = simulator.cycles

    def remove(self) -> None:
        """Forget it: the job has ended."""
        self.path.unlink(missing_ok=True)
