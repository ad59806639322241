"""Arrays in: .npy files, whose headers are checked before anything is allocated.

Whatever the bytes are, a file is read rightly or refused with a sentence that names it.
"""

import io
import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

if TYPE_CHECKING:
    from torch import Tensor

_MAGIC = b"\x93NUMPY"
_READERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # differs in how it writes names of fields, which we refuse
}
_LONGEST_HEADER = 16_384
"""Bytes that are looked at; NumPy refuses headers of more than 10,000 characters."""


class _Header(NamedTuple):
    """What a .npy file announces, and the byte at which its data begin."""

    shape: tuple[int, ...]
    stored: np.dtype[Any]
    fortran_order: bool
    start: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values, in native byte order."""
        return self.stored.newbyteorder("=")


def load_tokens(path: Path) -> "Tensor":
    """Load a token matrix: [N, D], float16 or float32 as the file has it.

    Raises:
        ValueError: no readable .npy file, truncated, or not two-dimensional float16 or float32.
            The values themselves are checked by the quantiser.
        OSError: a file that cannot be read.
    """
    with _opened(path) as file:
        header = _header(path, file)
        if header.dtype not in (np.float16, np.float32):
            raise ValueError(
                f"{path} holds {header.dtype} values; tokens must be float16 or float32."
            )
        if len(header.shape) != 2:
            raise ValueError(
                f"{path} holds an array of shape {list(header.shape)};"
                " tokens must be a matrix [tokens, channels]."
            )
        array = _data(path, file, header)
    import torch  # takes seconds, which a refusal above need not

    return torch.from_numpy(array)


def load_init(path: Path) -> list[int]:
    """Load an initial dst list: a one-dimensional .npy file of integers, in slot order.

    Raises:
        ValueError: no readable .npy file, truncated, or not one-dimensional and of integers.
        OSError: a file that cannot be read.
    """
    with _opened(path) as file:
        header = _header(path, file)
        if header.dtype.kind not in "iu" or len(header.shape) != 1:
            raise ValueError(
                f"{path} holds {header.dtype} values of shape {list(header.shape)};"
                " an init list must be one-dimensional and of integers."
            )
        listed: list[int] = _data(path, file, header).tolist()
    return listed


def _opened(path: Path) -> BinaryIO:
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    if not path.is_file():
        raise ValueError(f"{path} is not a file.")
    return path.open("rb")


def _header(path: Path, file: BinaryIO) -> _Header:
    """What a .npy file announces."""
    begun = io.BytesIO(file.read(_LONGEST_HEADER))
    if begun.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(f"{path} is not a .npy file: write it with numpy.save.")
    begun.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's on Python 2, Python's on odd literals
            shape, fortran_order, dtype = _READERS[npy.read_magic(begun)](begun)
    except Exception as error:  # from bytes in memory: whatever it is, the header is to blame
        raise ValueError(f"{path} has a broken .npy header.") from error
    if not all(type(size) is int and 0 <= size <= sys.maxsize for size in shape):
        raise ValueError(
            f"{path} has a broken .npy header: each size must lie in 0..{sys.maxsize}."
        )
    return _Header(shape, dtype, fortran_order, begun.tell())


def _data(path: Path, file: BinaryIO, header: _Header) -> "np.ndarray[Any, np.dtype[Any]]":
    """The array that a header of numbers announces, in C order and native byte order."""
    shape = header.shape
    needed = math.prod(shape) * header.dtype.itemsize
    present = path.stat().st_size - header.start
    if present < needed:
        raise ValueError(
            f"{path} is truncated: its header announces {header.dtype} {list(shape)}, {needed}"
            f" bytes, but only {present} follow."
        )
    file.seek(header.start)
    values = np.fromfile(file, header.stored, math.prod(shape))
    try:
        array = values.reshape(shape, order="F" if header.fortran_order else "C")
    except ValueError as error:  # no bytes in all, but a size beyond NumPy's
        raise ValueError(f"{path} has a broken .npy header: {error}.") from error
    return np.asarray(array, dtype=header.dtype, order="C")
