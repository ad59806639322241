"""Handshake: how a unit is run, and tells that it is done."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Handshake(wiring.Signature):
    """Members: ``start`` Out pulse; ``done`` In pulse, at the earliest a cycle later.

    As the one who starts sees it; the unit that is run has ``In(Handshake())``. No start comes
    before the done of the one before.
    """

    def __init__(self) -> None:
        super().__init__({"start": Out(1), "done": In(1)})
