"""Skew: where the chunks of rows lie in banks, so that several chunks of a row are written at once.

A word of n lanes holds one chunk of each of n rows and is read whole. A row comes from memory
several chunks a beat, and they belong to different words, all at the same lane. So the lanes of
word k are exchanged: chunk k of row q stands at place q ^ (k mod W). Then W neighbouring chunks of
a row stand at W places, which are banks of their own.
"""

from dataclasses import dataclass

from amaranth.hdl import Const, Mux, Value


@dataclass(frozen=True)
class Skew:
    """The exchange among ``lanes`` lanes, ``width`` of them: W, a power of two dividing them."""

    lanes: int
    width: int

    @classmethod
    def of(cls, lanes: int, most: int) -> "Skew":
        """The widest exchange of at most ``most`` lanes, a power of two."""
        return cls(lanes, min(lanes & -lanes, most))

    def written(self, lane: Value, place: int) -> tuple[Value, Value]:
        """Whether a write of W chunks to a lane touches a place, and which chunk it takes."""
        low_bits = self.width.bit_length() - 1
        high = lane[low_bits:]
        hit = high == place >> low_bits if len(high) else Const(1, 1)
        return hit, (lane[:low_bits] ^ (place & self.width - 1))[:low_bits]

    def in_lane_order(self, places: list[Value], chunk: Value) -> list[Value]:
        """The lanes of the word of a chunk index, from its places."""
        for bit in range(self.width.bit_length() - 1):
            places = [
                Mux(chunk[bit], places[lane ^ 1 << bit], places[lane]) for lane in range(self.lanes)
            ]
        return places
