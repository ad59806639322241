from pathlib import Path

import numpy as np
import pytest
import torch

from software.library import npy


def saved(path: Path, array: object) -> Path:
    np.save(path, np.asarray(array), allow_pickle=True)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f2", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_tokens_survive_the_file(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.random.default_rng(1).standard_normal((5, 3)).astype(dtype)
    path = saved(tmp_path / "t.npy", np.asarray(values, order=order))  # type: ignore[call-overload]
    loaded = npy.load_tokens(path)
    assert loaded.dtype == (torch.float16 if dtype.endswith(("16", "f2")) else torch.float32)
    assert np.array_equal(loaded.numpy(), values)


@pytest.mark.parametrize(
    ("array", "rule"),
    [
        (np.zeros((2, 3)), "float64 values; tokens must be float16 or float32"),
        (np.zeros((2, 3), np.int32), "int32 values"),
        (np.zeros((2, 3), bool), "bool values"),
        (np.array([{"a": 1}], dtype=object), "object values; tokens must be float16 or float32"),
        (np.zeros((2, 3), [("x", "f4")]), "tokens must be float16 or float32"),
        (np.zeros(6, np.float32), r"shape \[6\]; tokens must be a matrix"),
        (np.zeros((1, 2, 3), np.float16), r"shape \[1, 2, 3\]"),
        (np.float32(1), r"shape \[\]"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: object, rule: str) -> None:
    path = saved(tmp_path / "t.npy", array)
    with pytest.raises(ValueError, match=rule):
        npy.load_tokens(path)


@pytest.mark.parametrize("kept", [-1, -7, 20, 5, 0])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = saved(tmp_path / "t.npy", np.zeros((4, 4), np.float32))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"truncated|not a \.npy file|broken \.npy header"):
        npy.load_tokens(path)


def test_a_header_that_announces_too_much_allocates_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.npy", np.zeros((11, 11), np.float32))
    header = path.read_bytes().replace(b"(11, 11), }          ", b"(1111111111, 11111), }")[:128]
    path.write_bytes(header + bytes(484))
    with pytest.raises(ValueError, match="truncated"):
        npy.load_tokens(path)


def test_what_is_no_npy_file_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "t.npz"
    np.savez(archive, tokens=np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match=r"is not a \.npy file"):
        npy.load_tokens(archive)
    with pytest.raises(ValueError, match="does not exist"):
        npy.load_tokens(tmp_path / "none.npy")
    with pytest.raises(ValueError, match="is not a file"):
        npy.load_tokens(tmp_path)


def test_init_lists(tmp_path: Path) -> None:
    for dtype in (np.int64, np.uint8, ">i4"):
        assert npy.load_init(saved(tmp_path / "i.npy", np.array([4, 2], dtype))) == [4, 2]
    largest = np.array([2**64 - 1], np.uint64)
    assert npy.load_init(saved(tmp_path / "i.npy", largest)) == [2**64 - 1]
    for wrong in (np.zeros(2), np.zeros((2, 1), int), np.array(["a"])):
        with pytest.raises(ValueError, match="must be one-dimensional and of integers"):
            npy.load_init(saved(tmp_path / "i.npy", wrong))
