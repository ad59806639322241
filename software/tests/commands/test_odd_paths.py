"""A hundred odd paths: each is used as it is, or refused in a sentence; never a traceback."""

import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hw.emit.verilog import Verilog
from software.commands.cli import app
from software.demo.model import WEIGHTS, load_model

SIGNS = "a1 .-_[]{}()<>|&;$'\"\\`!*?#%:,=+~^@\n\t\r\x1b\x7f\u00e9\u65e5\u200b\u202e\u2028\U0001f600"
PLAIN = [
    "out.npz", "run[step=25]", "[/x].npz", "out[", "[bold]x[/bold]", ":smile:", "a b", "a  b",
    " a ", "\u00e9.npz", "e\u0301.npz", "\u65e5\u672c\u8a9e.npz", "\u05d0\u05d1", "\U0001f600",
    "\u200b", "\u202eznp.t",
    "line\nend.npz", "\n", "\t", "\r", "\x1b[31mred", "\x7f", "new\u2028line", "a" * 255,
    "\u65e5" * 85, "~", "~root", "*", "?", "$(x)", "%s%n", "{0}", "\\", "\\n", "'", '"', "...",
    "..x", ".hidden", "-", "-o", "--help", "--", "-x.npz", "folder/x", "folder//x", "folder/../x",
    "./x", "x/", "file", "file/", "folder/./x/.", "to_file", "to_nothing", "to_folder/x",
    os.fsdecode(b"\xff\xfe.npz"), os.fsdecode(b"folder/caf\xe9[x]"), os.fsdecode(b"\x80\n"),
]  # fmt: skip
"""Where a file can be written."""
BAD = [
    "", ".", "..", "/", "//", "folder", "folder/", "folder/..", "to_folder", "file/x", "file/..",
    "none/x", "none/../x", "a" * 256, "\u65e5" * 86, "a/" * 3000, "a" * 5000, "\0", "a\0b.npz",
    "folder/\0", "round", "round/x", "to_lost", "marked", "to_marked", "socket", "/proc/x",
    "/proc/self/x", "/none/\ud800", "[/none]/[x", "none\n/x", os.fsdecode(b"\xff/x"), "tokens.npy",
]  # fmt: skip
"""Where it cannot."""


def names() -> list[str]:
    """Further ones, at random."""
    rng = random.Random(12)
    drawn = ["".join(rng.choices(SIGNS, k=rng.randint(1, 40))) for _ in range(30)]
    return [name for name in drawn if name.strip(".")]


GOOD = PLAIN + names()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder with some files, links and a socket, of which nothing half done is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORBIS_CACHE", str(tmp_path / "cache"))
    np.save("tokens.npy", np.random.default_rng(2).standard_normal((12, 4)).astype(np.float16))
    np.save("init.npy", np.array([3, 1]))
    for name in ("folder", "[", "[bold]x["):
        Path(name).mkdir()
    Path("file").touch()
    Path("marked").touch()
    Path("marked").chmod(0o444)
    for name, target in (
        ("to_file", "file"), ("to_nothing", "folder/new"), ("to_folder", "folder"),
        ("round", "round"), ("to_lost", "lost/x"), ("to_marked", "marked"),
    ):  # fmt: skip
        Path(name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        yield
    assert not list(tmp_path.rglob(".orbis.*"))


def orbis(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 2)
    if result.exit_code:
        assert result.stdout == ""
        assert result.stderr.startswith("orbis: ")
        assert result.stderr.endswith(".\n")
        assert len(result.stderr.splitlines()) == 1, result.stderr
    return result


def inside(*paths: str) -> list[str]:
    """Those that lead nowhere beside the working folder, where folders may be made."""
    here = os.path.realpath(".")
    return [
        path for path in paths
        if {"\0", "\ud800"} & {*path} or os.path.commonpath([here, os.path.realpath(path)]) == here
    ]  # fmt: skip


def shown(path: str) -> str:
    """How a path is told: pathlib's way to write it, and escapes."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode()
        for sign in str(Path(path))
    )


QUANTIZE = ("quantize", "tokens.npy")
MATCH = ("match", "tokens.npy", "--num-dst", "2", "--reduce", "3")


@pytest.mark.parametrize("command", [QUANTIZE, MATCH], ids=lambda command: command[0])
def test_as_an_output(command: tuple[str, ...]) -> None:
    for path in GOOD:
        result = orbis(*command, f"--output={path}")
        assert result.exit_code == 0, (path, result.output)
        line = result.stdout.splitlines()[-1]
        assert line.split(None, 1) == ["output", shown(path)] or line.endswith(shown(path))
        with np.load(Path(path)) as found:
            assert found
    for path in BAD:
        assert orbis(*command, f"--output={path}").exit_code == 2, path


def test_as_an_input() -> None:
    for path in (*GOOD, *BAD):
        if path != "tokens.npy":
            tokens = orbis("quantize", "-o", "new.npz", "--", path)
            init = orbis(*MATCH, f"--init={path}", "-o", "new.npz")
            assert (tokens.exit_code, init.exit_code) == (2, 2), path
    assert not Path("new.npz").exists()


def test_an_input_of_any_name_is_read() -> None:
    content = Path("tokens.npy").read_bytes()
    for path in GOOD:
        Path(path).write_bytes(content)
        assert orbis("quantize", "-o", "new.npz", "--", path).exit_code == 0, path


def test_as_a_folder_of_verilog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hw.emit.verilog.write_verilog", lambda *_: Verilog("module\n", {}))
    for path in inside(*GOOD, *BAD):
        result = orbis("verilog", "--preset", "tiny", f"--output={path}")
        assert (result.exit_code == 0) == holds(Path(path, "orbis_tiny.v").is_file), path


def holds(check: Callable[[], bool]) -> bool:
    """What pathlib finds of a path; False of one that cannot be."""
    with suppress(OSError, ValueError):
        return check()
    return False


def began(result: Result) -> bool:
    assert result.exit_code == 2
    return result.stderr == "orbis: work began.\n"


def begin(*_: object, **__: object) -> None:
    raise ValueError("work began.")


def test_as_a_folder_of_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(WEIGHTS)
    monkeypatch.setattr("software.demo.model.load_model", lambda _: model)
    monkeypatch.setattr("software.demo.diffusion.denoise", begin)
    for path in inside(*GOOD, *BAD):
        assert began(orbis("video", f"--output={path}")) == holds(Path(path).is_dir), path


def test_as_the_folder_of_weights() -> None:
    for path in (*GOOD[::4], *BAD):
        result = orbis("video", f"--weights={path}", "-o", "new")
        assert result.exit_code == 2
    assert not Path("new").exists()


@pytest.mark.parametrize("option", ["json", "plot"])
def test_as_a_report_of_areas(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setattr("hw.emit.verilog.modules_of", begin)
    worked = [path for path in (*GOOD, *BAD) if began(orbis("area", f"--{option}={path}"))]
    assert worked == [*GOOD, "tokens.npy"]


def test_as_a_library_of_cells() -> None:
    for path in (*GOOD[::2], *BAD):
        assert orbis("area", f"--liberty={path}").exit_code == 2


def test_as_a_name_of_something_else() -> None:
    for text in (*GOOD[::2], *BAD[::2]):
        for given in (["plan", f"--model={text}"], ["plan", "--", text],
                      ["verilog", f"--preset={text}", "-o", "new"], ["presets", "--", text],
                      ["verilog", f"--set={text}", "-o", "new"],
                      [*MATCH, f"--bits={text}", "-o", "new"], ["--", text]):  # fmt: skip
            assert orbis(*given).exit_code == 2
