"""Files in and out: arrays checked before they are read, outputs that appear whole or never."""

import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

if TYPE_CHECKING:
    from torch import Tensor

_MAGIC = b"\x93NUMPY"


def load_tokens(path: Path) -> "Tensor":
    """Load a token matrix: [N, D], float16 or float32 as the file has it.

    Raises:
        ValueError: no readable .npy file, truncated, or not two-dimensional float16 or float32.
            The values themselves are checked by the quantiser.
    """
    array = _load(path)
    if array.dtype not in (np.float16, np.float32):
        raise ValueError(f"{path} holds {array.dtype} values; tokens must be float16 or float32.")
    if array.ndim != 2:
        raise ValueError(
            f"{path} holds an array of shape {list(array.shape)};"
            " tokens must be a matrix [tokens, channels]."
        )
    import torch  # takes seconds, which a refusal above need not

    return torch.from_numpy(array)


def load_init(path: Path) -> list[int]:
    """Load an initial dst list: a one-dimensional .npy file of integers, in slot order."""
    array = _load(path)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(
            f"{path} holds {array.dtype} values of shape {list(array.shape)};"
            " an init list must be one-dimensional and of integers."
        )
    listed: list[int] = array.tolist()
    return listed


def _load(path: Path) -> "np.ndarray[Any, np.dtype[Any]]":
    """The array of a .npy file, in native byte order, never through pickle.

    The header is read first: it tells what is refused, and how long the file must be, before
    anything is allocated.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    if not path.is_file():
        raise ValueError(f"{path} is not a file.")
    with path.open("rb") as file:
        shape, dtype = _header(path, file)
        if dtype.hasobject:
            raise ValueError(f"{path} holds {dtype} values; only plain numbers can be read.")
        needed = math.prod(shape) * dtype.itemsize
        present = path.stat().st_size - file.tell()
        if present < needed:
            raise ValueError(
                f"{path} is truncated: its header announces {dtype} {list(shape)}, {needed} bytes,"
                f" but only {present} follow."
            )
        file.seek(0)
        array = npy.read_array(file, allow_pickle=False)
    return np.array(array, dtype=dtype.newbyteorder("="), order="C")


def _header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype that a .npy file announces; leaves ``file`` where its data begin."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(f"{path} is not a .npy file: write it with numpy.save.")
    file.seek(0)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except ValueError as error:
        raise ValueError(f"{path} has a broken .npy header.") from error
    return shape, dtype


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; on success it takes the place of ``path``.

    Enter it before long work: a folder that cannot be written to is found at once. An error or a
    killed run leaves ``path`` as it was.

    Raises:
        ValueError: the folder does not exist or cannot be written to, or ``path`` is a folder.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; the output must be a file.")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.touch(exist_ok=False)
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise ValueError(f"{path.parent} cannot be written to: {reason}.") from error
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def output_folder(path: Path) -> Path:
    """``path`` as a folder that can be written to, made where it does not exist.

    Raises:
        ValueError: it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise ValueError(f"folder {path} cannot be made: {reason}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"folder {path} cannot be written to.")
    return path


def save_arrays(path: Path, arrays: Mapping[str, "np.ndarray[Any, Any] | int"]) -> None:
    """Write named arrays as an uncompressed .npz file, under exactly the name ``path``."""
    with path.open("wb") as file:  # given a name, numpy would append .npz to it
        np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text)


def write_json(path: Path, content: object) -> None:
    """Write ``content`` to ``path`` as JSON, keys in the order given, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")
