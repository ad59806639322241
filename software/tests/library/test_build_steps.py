"""Steps of a build: what a failure says, and that nothing runs on after one or an interrupt."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from software.library.errors import SetupError
from software.library.simulator import steps

SHELL = ("sh", "-c")
# A child of its own that would outlive it, as a compiler is one of g++'s.
STARTS_ANOTHER = "sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait"


def run(work: Path, *scripts: str) -> None:
    steps.run_steps([(*SHELL, each) for each in scripts], work, work / "build.log", here(work))


def here(work: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PWD": str(work)}


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait for something that takes a moment."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked after yet is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_all_steps_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(tmp_path, *(f"echo $TMPDIR > {number}" for number in range(7)))
    assert {path.name: path.read_text().strip() for path in tmp_path.iterdir()} == {
        str(number): str(tmp_path) for number in range(7)
    }


def test_an_interrupt_ends_steps_and_what_they_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = min(2, len(os.sched_getaffinity(0)))
    marks = [tmp_path / f"started{number}" for number in range(count)]

    def interrupted(seconds: float) -> None:
        until("the steps start", lambda: all(mark.exists() for mark in marks))
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "time", SimpleNamespace(sleep=interrupted))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, *(STARTS_ANOTHER.format(mark) for mark in marks))
    for mark in marks:
        until("a step's child is ended", partial(is_gone, int(mark.read_text())))


def test_a_failure_ends_the_other_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    mark = tmp_path / "started"
    fails = f"until test -e {mark}; do sleep 0.01; done; echo no such thing; exit 1"
    with pytest.raises(SetupError, match=r"^sh failed while the simulator was built: see .*\.log"):
        run(tmp_path, STARTS_ANOTHER.format(mark), fails)
    until("the other step's child is ended", lambda: is_gone(int(mark.read_text())))
    assert (tmp_path / "build.log").read_text() == f"sh -c {fails}\nno such thing\n"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("kill -9 $$", "was ended by signal 9 (Killed; memory most likely ran out)"),
        ("kill -11 $$", "was ended by signal 11 (Segmentation fault)"),
        ("echo 'g++: fatal error: Killed signal terminated program cc1plus'; exit 1",
         "failed (memory most likely ran out)"),
        ("echo '%Error: Verilator threw signal 9.' >&2; exit 2",
         "failed (memory most likely ran out)"),
        ("echo \"can't write 8 bytes: 'No space left on device'\"; exit 1",
         "failed (the disk is full)"),
        ("printf '\\377'; exit 1", "failed"),
    ],
)  # fmt: skip
def test_what_a_failure_says(tmp_path: Path, script: str, sentence: str) -> None:
    with pytest.raises(SetupError) as refused:
        run(tmp_path, script)
    log = tmp_path / "build.log"
    assert str(refused.value) == f"sh {sentence} while the simulator was built: see {log}."
    assert log.read_text(errors="replace").startswith(f"sh -c {script}\n")


def test_where_no_log_can_be_written_none_is_named(tmp_path: Path) -> None:
    log = tmp_path / "none" / "build.log"
    with pytest.raises(SetupError, match=r"^false failed while the simulator was built\.$"):
        steps.run_steps([["false"]], tmp_path, log, here(tmp_path))


def test_a_step_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    script = tmp_path / "verilator"
    script.write_text("")
    with pytest.raises(SetupError, match=r"verilator cannot be run: Permission denied\.$"):
        steps.run_steps([[script]], tmp_path, tmp_path / "build.log", here(tmp_path))
