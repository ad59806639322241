"""Rows of a batch by index: taken, and put back. Each leading place has an index list of its own.

Shapes: rows [.., R, C]; index int64 [.., S], its leading sizes those of the rows.
"""

from torch import Tensor


def take_rows(rows: Tensor, index: Tensor) -> Tensor:
    """Rows at the indices: [.., S, C], a new tensor."""
    if index.shape[:-1].numel() == 1:  # the quicker way for one list
        return rows.index_select(-2, index.flatten())
    return rows.gather(-2, _wide(index, rows.shape[-1]))


def put_rows(rows: Tensor, index: Tensor, values: Tensor) -> None:
    """Write values [.., S, C] over the rows at the indices, in place."""
    if index.shape[:-1].numel() == 1:
        rows.index_copy_(-2, index.flatten(), values)
    else:
        rows.scatter_(-2, _wide(index, rows.shape[-1]), values)


def _wide(index: Tensor, channels: int) -> Tensor:
    return index[..., None].expand(*index.shape, channels)
