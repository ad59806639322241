"""Backlog: what has come to a unit and has not left it yet, noted beside it."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, Value
from amaranth.lib import data


class Backlog:
    """Items in the order in which they came.

    Args:
        m: of the properties.
        layout: of an item.
        most: items at once; one more fails an assertion.

    Attributes:
        first: the oldest item, which counts only while there is one.
        count: how many there are.
        some: whether there is one.
    """

    def __init__(self, m: Module, layout: data.StructLayout, most: int):
        self._m = m
        self._items = [Signal(layout, name=f"item_{place}") for place in range(most)]
        self.count = Signal(range(most + 2))
        self.first: Any = self._items[0]
        self.some = self.count != 0

    def follow(self, comes: Value, item: Any, leaves: Value, rest: Any = None) -> None:
        """In each cycle ``item`` may come, and the first one leave, or become its ``rest``."""
        m, most = self._m, len(self._items)
        kept = Signal.like(self.count, name="kept")
        m.d.comb += [kept.eq(self.count - leaves), Assert(self.count <= most)]
        m.d.sync += self.count.eq(kept + comes)
        places = [Value.cast(noted) for noted in self._items]
        for place, noted in enumerate(places):
            stays = Value.cast(rest) if place == 0 and rest is not None else noted
            after = places[place + 1] if place + 1 < most else noted
            m.d.sync += noted.eq(
                Mux(comes & (kept == place), Value.cast(item), Mux(leaves, after, stays))
            )
