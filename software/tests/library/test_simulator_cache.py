"""The cache of simulators: what broke off, or was spoilt, is made again; and what is refused."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hw.config import PRESETS
from hw.emit.verilog import to_verilog
from software.library.errors import SetupError
from software.library.simulator import Simulator, build, engine
from software.library.simulator.kept import whole
from software.tests.library.test_simulator import MEMORY, xor
from software.tests.library.xor_engine import XorEngine

CONFIG = PRESETS["tiny"]
TOP = "xor_engine"


@pytest.fixture(scope="module")
def verilog() -> str:
    return to_verilog(XorEngine(CONFIG), TOP)


@pytest.fixture(scope="module")
def compiled(verilog: str) -> bytes:
    """The library of the small design, without what the cache adds."""
    content = whole(build.build_library(verilog, TOP, label="a test design"))
    assert content is not None
    return content


@pytest.fixture
def builds(compiled: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """An empty cache whose builds take no time; lists the work folder of each."""
    works: list[Path] = []

    def compile_library(verilog: str, top: str, waves: bool, work: Path, *_: object) -> bytes:
        assert not list(work.iterdir())
        (work / "engine.v").write_text("half")
        works.append(work)
        return compiled

    monkeypatch.setattr(build, "compile_library", compile_library)
    monkeypatch.setenv(build.CACHE, str(tmp_path))
    return works


def runs(library: Path) -> bool:
    with Simulator(library, MEMORY) as simulator:
        return xor(simulator, 20, 0, 8192, 16384)


def left(cache: Path) -> set[str]:
    """Kinds of what is in a cache."""
    return {path.name.partition(".")[2] for path in cache.iterdir()}


def test_a_killed_build_hinders_no_other(verilog: str, builds: list[Path], tmp_path: Path) -> None:
    name = build.build_library(verilog, TOP)
    name.unlink()
    for process in (os.getpid(), 1):  # as builds named their folders once: in a container all are 1
        abandoned = tmp_path / f"{name.stem}.{process}.partial" / "model"
        abandoned.mkdir(parents=True)
        (abandoned / "Engine.cpp").write_text("half")
    (tmp_path / f".{name.name}.0123abcd.partial").write_text("half")
    other = tmp_path / "another.7.partial"
    other.mkdir()
    library = build.build_library(verilog, TOP)
    assert runs(library)
    assert len(builds) == 2
    assert list(tmp_path.glob("*.partial")) == [other]


@pytest.mark.parametrize(
    ("error", "raised", "sentence"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), SetupError,
         r"^the simulator cannot be kept in /.*: no space left on device\.$"),
        (SetupError("g++ failed."), SetupError, r"^g\+\+ failed\.$"),
        (KeyboardInterrupt("^C"), KeyboardInterrupt, r"^\^C$"),
    ],
)  # fmt: skip
def test_a_build_that_broke_off_is_built_again(
    verilog: str,
    builds: list[Path],
    tmp_path: Path,
    error: BaseException,
    raised: type[BaseException],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks_off(verilog: str, top: str, waves: bool, work: Path, *_: object) -> bytes:
        (work / "engine.v").write_text("half")
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(build, "compile_library", breaks_off)
        for _ in range(2):
            with pytest.raises(raised, match=sentence):
                build.build_library(verilog, TOP)
    assert left(tmp_path) == {"lock"}
    assert runs(build.build_library(verilog, TOP))
    assert len(builds) == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_digest(path: Path) -> None:
    content = whole(path)
    assert content
    path.write_bytes(content)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_text("")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads every file")


SPOILT = (cut, empty, altered, without_digest, folder, dangling, unreadable)


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoilt_library_is_built_again(
    verilog: str,
    builds: list[Path],
    tmp_path: Path,
    spoil: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    library = build.build_library(verilog, TOP)
    spoil(library)
    assert build.build_library(verilog, TOP) == library
    assert len(builds) == 2
    assert runs(library)
    assert build.build_library(verilog, TOP) == library
    assert len(builds) == 2
    assert left(tmp_path) == {"so", "lock"}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("spoil", SPOILT)
def test_spoilt_verilog_is_written_again(
    tmp_path: Path, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    asked: list[str] = []

    def writes(component: object, name: str) -> str:
        written.append(name)
        return f"module {name};\n" + "  wire a;\n" * 200 + "endmodule\n"

    def builds(verilog: str, *given: object, **options: object) -> Path:
        asked.append(verilog)
        return tmp_path

    monkeypatch.setenv(build.CACHE, str(tmp_path))
    monkeypatch.setattr("hw.emit.verilog.to_verilog", writes)
    monkeypatch.setattr(engine, "build_library", builds)
    engine.engine_library(CONFIG)
    spoil(next(tmp_path.glob("*.v")))
    engine.engine_library(CONFIG)
    engine.engine_library(CONFIG)
    assert len(written) == 2
    assert len(asked) == 3
    assert len(set(asked)) == 1
    assert asked[0].endswith("  wire a;\nendmodule\n")


def test_verilog_that_cannot_be_kept_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(path: Path, content: bytes) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setenv(build.CACHE, str(tmp_path))
    monkeypatch.setattr("hw.emit.verilog.to_verilog", lambda *_: "module m; endmodule\n")
    monkeypatch.setattr(engine, "keep", refuses)
    monkeypatch.setattr(engine, "build_library", lambda verilog, *_, **__: Path(verilog))
    assert engine.engine_library(CONFIG) == Path("module m; endmodule\n")


def test_a_library_that_is_there_is_only_read(
    verilog: str, builds: list[Path], tmp_path: Path
) -> None:
    library = build.build_library(verilog, TOP)
    library.with_suffix(".lock").unlink()
    tmp_path.chmod(0o555)
    try:
        assert build.build_library(verilog, TOP) == library
        assert left(tmp_path) == {"so"}
    finally:
        tmp_path.chmod(0o755)


def test_without_a_lock_each_builds_for_itself(
    verilog: str, builds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_none(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    library = build.build_library(verilog, TOP)
    perhaps_alive = tmp_path / f"{library.stem}.abc.partial"
    perhaps_alive.mkdir()
    library.unlink()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("fcntl.flock", has_none)
        assert runs(build.build_library(verilog, TOP))
    library.unlink()
    library.with_suffix(".lock").unlink()
    library.with_suffix(".lock").mkdir()
    assert runs(build.build_library(verilog, TOP))
    assert len(builds) == 3
    assert perhaps_alive.is_dir()


def test_a_folder_that_takes_nothing_is_named(
    verilog: str, builds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "gone")
    rule = f"^the simulator cannot be kept in {tmp_path / 'gone'}: no such file or directory\\.$"
    with pytest.raises(SetupError, match=rule):
        build.build_library(verilog, TOP)


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("#!/bin/sh\necho g++: no licence. >&2\nexit 3\n", "ended with code 3: g++: no licence."),
        ("#!/bin/sh\nexit 1\n", "ended with code 1: it said nothing."),
        ("#!/bin/sh\nkill -9 $$\n",
         "was ended by signal 9 (Killed; memory most likely ran out): it said nothing."),
        ("not a program\n", "cannot be run: Exec format error."),
    ],
)  # fmt: skip
def test_a_compiler_that_does_not_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, rule: str
) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text(script)
    compiler.chmod(0o755)
    for tool in ("make", "perl"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(build.CACHE, str(tmp_path / "cache"))
    with pytest.raises(SetupError) as refused:
        build.build_library("module m; endmodule", "m")
    assert str(refused.value) == f"`g++ --version` {rule}"


def test_a_failed_build_leaves_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(build.CACHE, str(tmp_path))
    for _ in range(2):
        with pytest.raises(SetupError, match=r"verilator failed .*: see .*\.build\.log\.$"):
            build.build_library("module broken(;", "broken")
    assert left(tmp_path) == {"lock", "build.log"}
    (log,) = tmp_path.glob("*.build.log")
    assert "syntax error" in log.read_text()
    monkeypatch.setattr(build, "compile_library", lambda *_: b"a library")
    build.build_library("module broken(;", "broken")
    assert left(tmp_path) == {"lock", "so"}
