"""Lookup: a port that asks a table and is answered a cycle later."""

from typing import Any

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Lookup(wiring.Signature):
    """Members: ``index`` Out; ``entry`` In, that of the index of the cycle before.

    As the one who asks sees it; a table has ``In(Lookup(...))``.
    """

    def __init__(self, index: ShapeLike, entry: ShapeLike):
        super().__init__({"index": Out(index), "entry": In(entry)})


def answer(m: Module, lookup: wiring.PureInterface, port: Any) -> None:
    """Serve a lookup, from whichever side, with a synchronous read port of a memory."""
    m.d.comb += [port.addr.eq(lookup.index), lookup.entry.eq(port.data)]
