"""The process of a command: signals, closed and full outputs, odd encodings."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hw.emit.handover import fixed_files

ROOT = Path(__file__).parents[3]
MAIN = "from software.commands.cli import main; main()"
VERILOG = "module\n" * 100
WRITING = f"""
from hw.emit import verilog
verilog.write_verilog = lambda *_: verilog.Verilog({VERILOG!r}, {{}})
{MAIN}
"""
"""The command, with less Verilog."""
STUCK = f"""
import pathlib, time
def write(path, content):
    with path.open("wb") as file:
        file.write(b"half")
        file.flush()
        time.sleep(60)
pathlib.Path.write_bytes = write
{WRITING}
"""
"""The same, with a disk that hangs."""
LOUD = f"""
import os, pathlib
def write(path, content):
    with path.open("wb") as file:
        os.write(1, b"noise")
        file.write(content)
pathlib.Path.write_bytes = write
{WRITING}
"""
"""The same, with a library that prints past Python."""


HEARING = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
"""What nohup, and a shell that starts something in the background, may have turned off."""


def start(*arguments: object, program: str = WRITING, **options: Any) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, env=environment,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
    )  # fmt: skip


def verilog(folder: Path, **options: Any) -> "subprocess.Popen[str]":
    return start("verilog", "--preset", "tiny", "-o", folder, **options)


def ended(run: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Its exit code, and what it said, where that was read."""
    stdout, stderr = run.communicate(timeout=60)
    return run.returncode, stdout or "", stderr or ""


def wait_until_half_written(folder: Path, run: "subprocess.Popen[str]") -> None:
    while not any(path.stat().st_size for path in folder.glob(".orbis.*.partial")):
        assert run.poll() is None, ended(run)
        time.sleep(0.01)


def test_a_signal_leaves_nothing_half_written(tmp_path: Path) -> None:
    """By the convention that shells have; SIGKILL cannot, but leaves the output as it was."""
    codes = {"SIGTERM": 143, "SIGHUP": 129, "SIGINT": 130, "SIGKILL": -9}
    runs = {}
    for name in codes:
        (tmp_path / name).mkdir()
        (tmp_path / name / "orbis_tiny.v").write_text("old")
        runs[name] = verilog(tmp_path / name, program=f"{HEARING}{STUCK}")
    for name, run in runs.items():
        folder = tmp_path / name
        wait_until_half_written(folder, run)
        run.send_signal(getattr(signal, name))
        assert ended(run) == (codes[name], "", "")
        assert (folder / "orbis_tiny.v").read_text() == "old"
        if name != "SIGKILL":
            assert list(folder.iterdir()) == [folder / "orbis_tiny.v"]


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As nohup wants it."""
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{STUCK}"
    run = verilog(tmp_path, program=program)
    wait_until_half_written(tmp_path, run)
    run.send_signal(signal.SIGHUP)
    run.send_signal(signal.SIGTERM)
    assert ended(run)[0] == 143


@pytest.fixture
def closed() -> Iterator[int]:
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_a_closed_output_fails_no_command(tmp_path: Path, closed: int, json: list[str]) -> None:
    closings: dict[str, dict[str, Any]] = {
        "closed pipe": {"stdout": closed},
        "no stdout": {"preexec_fn": lambda: os.close(1)},
        "nothing": {"preexec_fn": lambda: os.closerange(0, 3)},
    }
    for name, options in closings.items():
        folder = tmp_path / name
        run = start("verilog", "--preset", "tiny", "-o", folder, *json, **options)
        assert ended(run) == (0, "", ""), name
        assert (folder / "orbis_tiny.v").read_text().endswith(VERILOG)


def test_a_file_takes_no_number_of_a_closed_output(tmp_path: Path) -> None:
    run = verilog(tmp_path, program=LOUD, preexec_fn=lambda: os.close(1))
    assert ended(run) == (0, "", "")
    assert (tmp_path / "orbis_tiny.v").read_text().endswith(VERILOG)


def test_what_is_shown_may_go_unread(closed: int) -> None:
    for command in (["presets"], ["presets", "--json"], ["plan"], ["--version"]):
        assert ended(start(*command, program=MAIN, stdout=closed)) == (0, "", ""), command


def test_a_refusal_that_nobody_reads_is_one(closed: int) -> None:
    for options in ({"stderr": closed}, {"preexec_fn": lambda: os.close(2)}):
        run = start("plan", "--model", "none", program=MAIN, **options)
        assert ended(run) == (2, "", "")


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"PYTHONIOENCODING": "ascii"}, r"caf\xe9"),
        ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, r"caf\udcc3\udca9"),
    ],
    ids=["ascii", "C"],
)
def test_an_output_of_few_characters_gets_escapes(
    tmp_path: Path, environment: dict[str, str], name: str
) -> None:
    folder = tmp_path / "caf\u00e9"
    code, stdout, stderr = ended(verilog(folder, env=environment))
    assert (code, stderr) == (0, "")
    assert stdout.splitlines()[-1] == f"{tmp_path}/{name}/orbis_tiny.json"
    assert (folder / "orbis_tiny.v").read_text().endswith(VERILOG)


@pytest.mark.parametrize("columns", ["1", "20", "10000"])
def test_no_value_is_cut_off_whatever_the_columns(tmp_path: Path, columns: str) -> None:
    environment = {"COLUMNS": columns, "FORCE_COLOR": "1"}
    folder = tmp_path / ("long " * 40)
    lines = ended(verilog(folder, env=environment))[1].splitlines()
    assert lines[0] == "module       orbis_tiny"
    assert lines[-1] == f"{folder}/orbis_tiny.json"
    assert len(lines) == 3 + len(fixed_files("orbis_tiny"))
    usage = start("presets", f"--{'very-' * 50}long", program=MAIN, env=environment)
    assert ended(usage)[2].startswith(f"orbis: no such option: --{'very-' * 50}long; see ")
    plan = start("plan", program=MAIN, env={"COLUMNS": columns})
    header, *rows = ended(plan)[1].splitlines()
    assert header.endswith(
        "TMAC a step  SDPA of it  less in a reduced step  less in all  kept, GiB"
    )
    assert len(rows) == 7


def full() -> None:
    """Make files as short as a full disk would."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_a_full_disk_is_told_with_the_outputs_name(tmp_path: Path) -> None:
    output = tmp_path / "orbis_tiny.v"
    output.write_text("old")
    expected = f"orbis: {output}: file too large.\n"
    assert ended(verilog(tmp_path, preexec_fn=full)) == (2, "", expected)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_a_full_stdout_is_told(tmp_path: Path) -> None:
    with (tmp_path / "shown").open("w") as shown:
        run = start("presets", program=MAIN, stdout=shown, preexec_fn=full)
        assert ended(run) == (2, "", "orbis: stdout: file too large.\n")
