"""The cache of mappings: what is spoilt, or cannot be kept, is made again and stops nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from synth.cache import Cache

RESULT = [[{"NAND2_X1": 3}, [12.5, "a", "b"], ""]]


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:20])


def empty(path: Path) -> None:
    path.write_text("")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "area")
    assert cache.get("key") is None
    cache.put("key", RESULT)
    assert cache.get("key") == RESULT
    assert [path.name for path in (tmp_path / "area").iterdir()] == ["key.json"]


@pytest.mark.parametrize("spoil", [cut, empty, zeroed, folder])
def test_a_spoilt_result_is_none(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    cache = Cache(tmp_path)
    cache.put("key", RESULT)
    spoil(tmp_path / "key.json")
    assert cache.get("key") is None
    cache.put("key", RESULT)
    assert cache.get("key") == (None if spoil is folder else RESULT)
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_a_folder_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "area").write_text("a file")
    cache = Cache(tmp_path / "area")
    cache.put("key", RESULT)
    assert cache.get("key") is None


def test_a_full_disk_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def half(path: Path, text: str) -> int:
        write(path, text[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", half)
        Cache(tmp_path).put("key", RESULT)
    assert not list(tmp_path.iterdir())
