import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from software.library import files


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_output_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with files.replacing(target) as partial:
        partial.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_the_old_output(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")

    def fail() -> None:
        with files.replacing(target) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def refuses(path: Path, rule: str) -> None:
    """By both: before long work, and when it comes to writing."""

    def enter() -> None:
        with files.replacing(path):
            raise AssertionError("writing began before the refusal")

    with pytest.raises(ValueError, match=rule):
        enter()
    with pytest.raises(ValueError, match=rule):
        files.check_outputs([path])


def test_an_output_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to("round")
    refuses(tmp_path, "is a folder")
    for path in (
        tmp_path / "none" / "out", tmp_path / "file" / "out", Path("/proc/out"),
        tmp_path / "round", tmp_path / ("a" * 256), tmp_path / "a\0b",
    ):  # fmt: skip
        refuses(path, "cannot be written to: ")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "round"}


def test_checked_outputs_are_left_as_they_are(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    files.check_outputs([old, new], inputs=[tmp_path / "none"])
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize("length", [240, 255])
def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("a" * length)
    files.write_text(path, "new")
    assert path.read_text() == "new"


def test_links_are_followed(tmp_path: Path) -> None:
    """What they lead to gets the content, in its own folder; they stay."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "old").write_text("old")
    for name in ("old", "new"):
        link = here / name
        link.symlink_to(Path("..", "there", name))
        with files.replacing(link) as partial:
            assert partial.parent == there
            partial.write_text("content")
        assert link.is_symlink()
        assert (there / name).read_text() == "content"
    (here / "lost").symlink_to(tmp_path / "none" / "out")
    refuses(here / "lost", "none cannot be written to: no such file")


def test_a_folder_may_be_behind_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("folder")
    assert files.output_folder(link) == link
    assert (tmp_path / "folder").is_dir()


def test_a_replaced_file_keeps_its_mode_and_a_new_one_gets_the_masks(tmp_path: Path) -> None:
    for old in (0o600, 0o664, 0o755):
        path = tmp_path / f"{old:o}"
        path.touch()
        path.chmod(old)
        with umask(0o022), files.replacing(path) as partial:
            assert mode(partial) == 0o600
        assert mode(path) == old
    for mask, new in ((0o022, 0o644), (0o077, 0o600)):
        path = tmp_path / f"new {mask:o}"
        with umask(mask):
            files.write_text(path, "")
        assert mode(path) == new


def test_a_read_only_file_is_refused_whoever_asks(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(0o444)
    refuses(path, "is read-only")
    (tmp_path / "link").symlink_to(path)
    refuses(tmp_path / "link", "link cannot be written to: it is read-only")
    assert path.read_text() == "old"


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_into(tmp_path: Path, linked: bool) -> None:
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    files.check_outputs([path])
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    files.save_arrays(path, {"a": np.arange(3)})  # which seeks in what it writes
    reader.join(10)
    files.save_arrays(tmp_path / "file", {"a": np.arange(3)})
    assert found == [(tmp_path / "file").read_bytes()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_leads_to_no_name_is_written_into(tmp_path: Path) -> None:
    """As /dev/stdout does where a program reads it."""
    read, write = os.pipe()
    try:
        files.write_text(Path(f"/proc/self/fd/{write}"), "new")
        assert os.read(read, 9) == b"new"
    finally:
        os.close(read)
        os.close(write)


def test_what_is_read_is_not_written_to(tmp_path: Path) -> None:
    read, link, hard = (tmp_path / name for name in ("read", "link", "hard"))
    read.write_text("input")
    link.symlink_to(read)
    hard.hardlink_to(read)
    for output, given in ((read, read), (link, read), (hard, read), (read, link)):
        with pytest.raises(ValueError, match=f"{output.name} is an input as well"):
            files.check_outputs([tmp_path / "new", output], inputs=[tmp_path / "none", given])


def test_no_output_is_written_twice(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("out")
    for other in (tmp_path / "out", tmp_path / "link", tmp_path / "." / ".." / tmp_path / "out"):
        with pytest.raises(ValueError, match="is written twice"):
            files.check_outputs([tmp_path / "out", other])


@pytest.mark.parametrize("errno", [28, 122, 27])  # no space, no quota, too large
def test_a_write_that_fails_names_the_output(tmp_path: Path, errno: int) -> None:
    path = tmp_path / "out"
    path.write_text("old")

    def fail() -> None:
        with files.replacing(path) as partial:
            partial.write_text("half")
            raise OSError(errno, os.strerror(errno))

    with pytest.raises(OSError, match=os.strerror(errno)) as raised:
        fail()
    assert (raised.value.errno, raised.value.filename) == (errno, str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    def fail() -> None:
        with files.replacing(tmp_path / "out"):
            (tmp_path / "other").read_text()

    with pytest.raises(FileNotFoundError) as raised:
        fail()
    assert raised.value.filename == str(tmp_path / "other")


def test_output_folders(tmp_path: Path) -> None:
    assert files.output_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    for path in (
        tmp_path / "file", tmp_path / "file" / "sub", Path("/proc/out"), tmp_path / "a\0b",
    ):  # fmt: skip
        with pytest.raises(ValueError, match="cannot be made: "):
            files.output_folder(path)


def test_arrays_lie_under_the_exact_name(tmp_path: Path) -> None:
    path = tmp_path / "pairs.dat"
    files.save_arrays(path, {"a": np.arange(3), "n": 7})
    with np.load(path) as found:
        assert set(found) == {"a", "n"}
        assert found["n"] == 7
        assert found["n"].shape == ()


def test_json_keeps_its_order(tmp_path: Path) -> None:
    files.write_json(tmp_path / "j", {"z": 1, "a": [2]})
    assert (tmp_path / "j").read_text() == '{\n  "z": 1,\n  "a": [\n    2\n  ]\n}\n'


def test_text_is_utf_8_and_names_of_files_in_it_are_kept(tmp_path: Path) -> None:
    files.write_text(tmp_path / "t", "\xe9 " + os.fsdecode(b"\xff"))
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa9 \xff"
