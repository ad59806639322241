"""Blocks of rows: what walks through all tokens in a wide form takes a cache's worth at a time."""

from collections.abc import Iterator

# 256 Ki values are 2 MB in float64: they and their temporaries stay in the cache. A block of 3,072
# channels has 85 rows.
VALUES = 1 << 18


def row_blocks(num_rows: int, channels: int) -> Iterator[slice]:
    """Cut the rows of a matrix [num_rows, channels] into blocks of VALUES values or fewer.

    A block has at least one row.
    """
    height = max(1, VALUES // channels)
    for start in range(0, num_rows, height):
        yield slice(start, start + height)
