"""Thousands of broken headers: each is read as NumPy reads it, or refused with the file's name."""

import io
import random
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from software.library.npy import load_init, load_tokens

ARRAYS: tuple[np.ndarray[Any, Any], ...] = (
    np.arange(12, dtype="<f2").reshape(3, 4),
    np.asfortranarray(np.arange(12, dtype=">f4").reshape(3, 4)),
    np.arange(5),
    np.arange(5, dtype="u1"),
)
SIGNS = b"(){}[]'\",:0123456789LeEjTF-+.*#\\\n\0 fiuOVMmSU<>|"
HUGE = "9" * 4200
SHAPES = (
    "(3, 4)", "(12,)", "(-1, 4)", "(-3, -4)", "(0, 4)", f"(0, {10**30})", f"(0, {2**63 - 1})",
    f"({10**18}, {10**18})", f"({HUGE}, {HUGE})", f"({HUGE}{HUGE},)", "(True, 2)", f"({'1,' * 80})",
    "[3, 4]", "((3, 4),)", "(3.0, 4)", "()", "3", "None", "(" * 90 + ")" * 90, "-" * 300 + "1",
)  # fmt: skip
DESCRIPTIONS = (
    "'<f2'", "'>f4'", "'<i8'", "'|u1'", "'f'", "'V0'", "'S0'", "'U0'", "'O'", "'M8[ns]'", "'?'",
    "[('a', '<f2')]", "[('a\\udcff', '<f2')]", "[('', 'V4')]", "('<f2', (2,))", "('<f2', (-1,))",
    "('<f2', (2147483648,))", "'<f2,<f2'", "'3<f2'", "((((('<f2', 1), 1), 1), 1), 1)", "b'<f2'",
    "'\\x00'", "['<f2']", "[[]]", "{}", "None", "7", "'float16'", "'a'", "'g'",
)  # fmt: skip


def with_header(header: bytes) -> bytes:
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header


def mutated(seed: int) -> bytes:
    """A .npy file whose header went wrong, in one of six ways."""
    rng = random.Random(seed)
    whole = io.BytesIO()
    np.lib.format.write_array(whole, rng.choice(ARRAYS), rng.choice([(1, 0), (2, 0), (3, 0)]))
    content = bytearray(whole.getvalue())
    place = rng.randrange(6, 128)
    match rng.randrange(6):
        case 0:
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(128)] = rng.randrange(256)
        case 1:
            for _ in range(rng.randint(1, 3)):
                content[rng.randrange(10, 72)] = rng.choice(SIGNS)
        case 2:
            del content[place : place + rng.randint(1, 20)]
        case 3:
            content[place:place] = bytes(rng.choices(SIGNS, k=rng.randint(1, 400)))
        case 4:
            del content[rng.randrange(len(content)) :]
        case _:
            descriptions, shapes = rng.choice(
                [(DESCRIPTIONS, SHAPES), (DESCRIPTIONS, SHAPES[:2]), (DESCRIPTIONS[:4], SHAPES[:5])]
            )
            header = (
                f"{{'descr': {rng.choice(descriptions)}, 'shape': {rng.choice(shapes)},"
                f" 'fortran_order': {rng.choice(['False', 'True', '0', 'None'])}}}\n"
            ).encode()
            content = bytearray(with_header(header) + bytes(rng.choice([0, 24, 96])))
    return bytes(content)


def read_or_refused(load: Callable[[Path], Any], path: Path, content: bytes) -> bool:
    """Whether it is read; then as NumPy reads it."""
    refusal, found = "", None
    try:
        found = load(path)
    except ValueError as error:
        refusal = str(error)
    if found is None:
        assert str(path) in refusal
        assert refusal.endswith(".")
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.load(io.BytesIO(content))
    np.testing.assert_array_equal(np.asarray(found), expected)
    return True


@pytest.mark.parametrize("part", range(4))
def test_a_mutated_header_is_read_or_refused(tmp_path: Path, part: int) -> None:
    path, read = tmp_path / "t.npy", 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would be a second sentence
        for seed in range(1500 * part, 1500 * (part + 1)):
            path.unlink(missing_ok=True)  # opening an old one to write is many times slower
            content = mutated(seed)
            path.write_bytes(content)
            read += read_or_refused(load_tokens, path, content)
            read += read_or_refused(load_init, path, content)
    assert read > 5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("description", ["'<f2'", "'<i8'", "'V0'", "'O'"])
def test_an_odd_shape_is_read_or_refused(tmp_path: Path, shape: str, description: str) -> None:
    header = f"{{'descr': {description}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    content = with_header(header) + bytes(96)
    path = tmp_path / "t.npy"
    path.write_bytes(content)
    readable = {("'<f2'", "(3, 4)"), ("'<f2'", "(0, 4)"), ("'<i8'", "(12,)")}
    read = [read_or_refused(load, path, content) for load in (load_tokens, load_init)]
    assert any(read) == ((description, shape) in readable)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_header_that_is_long_takes_no_memory(tmp_path: Path, version: int) -> None:
    path = tmp_path / "t.npy"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY" + bytes([version, 0]) + b"\xff" * 4)
        file.truncate(1 << 30)  # a file with a hole takes no room
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"broken \.npy header"):
            load_tokens(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("version", [0, 4, 255])
def test_a_version_to_come_is_refused(tmp_path: Path, version: int) -> None:
    path = tmp_path / "t.npy"
    np.save(path, ARRAYS[0])
    content = bytearray(path.read_bytes())
    content[6] = version
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken \.npy header"):
        load_tokens(path)
