"""What is read from Yosys' log, and how a Yosys that fails is told."""

import signal
import threading
import time
from pathlib import Path

import pytest

from hw.emit.toolchain import how_it_ended
from synth import yosys
from synth.builtin import builtin_library
from synth.mapping import Flow, Mapping, PathLog, choose

LOG = r"""
  cell $_DFF_P_ $auto$ff.cc:337:slice$7
    connect \C \clk
    connect \D $auto$mux$12
    connect \Q \sum [3]
  end
mapping for aim small
ABC: Extracted nothing that has a path.
mapping for aim fast
ABC: WireLoad = "none"  Gates = 9   Delay =   812.40 ps  ( 11.8 %)
ABC: Start-point = pi4 (\a [1]).  End-point = po2 ($auto$mux$12).
"""


def test_a_path_belongs_to_its_mapping_and_ends_at_its_register() -> None:
    log = PathLog()
    for line in LOG.splitlines():
        log.hear(line)
    assert log.paths == {"fast": (812.4, r"\a [1]", r"\sum [3]")}


def test_the_smallest_mapping_that_meets_the_period_is_taken() -> None:
    library = builtin_library()
    small = Mapping({"NAND2_X1": 10}, (900.0, "a", "b"), "")
    fast = Mapping({"NAND2_X1": 12}, (500.0, "a", "b"), "")
    wires = Mapping({}, None, "")
    for period, expected in ((1.0, small), (0.9, small), (0.8, fast), (0.1, fast)):
        assert choose([small, fast], Flow(period), library) is expected
        assert choose([fast, small], Flow(period), library) is expected
    assert choose([wires, wires], Flow(0.001), library) is wires


def test_a_failed_pass_is_told_in_yosys_words(tmp_path: Path) -> None:
    with pytest.raises(yosys.YosysError, match="No such command: unheard_of"):
        yosys.run(["unheard_of"], tmp_path)
    heard: list[str] = []
    yosys.run(["log so far so good"], tmp_path, heard.append)
    assert "so far so good\n" in heard


def test_a_process_that_dies_is_told_by_its_signal(tmp_path: Path) -> None:
    rule = r"^it was ended by signal 9 \(Killed; memory most likely ran out\)$"
    with pytest.raises(yosys.YosysError, match=rule):
        yosys.run(["exec -q -- kill -9 $PPID"], tmp_path)


def test_what_runs_is_ended_together(tmp_path: Path) -> None:
    """Also what would begin after the end."""
    processes, begun = yosys.Processes(), threading.Event()
    ends: list[str] = []

    def work() -> None:
        try:
            yosys.run(["help", "exec -- sleep 30"], tmp_path, lambda _: begun.set(), processes)
        except yosys.YosysError as error:
            ends.append(str(error))

    running = threading.Thread(target=work)
    running.start()
    assert begun.wait(30)
    processes.end()
    running.join(20)
    assert not running.is_alive()
    work()
    assert ends == [f"it {how_it_ended(-signal.SIGKILL)}"] * 2


def test_an_interrupt_while_yosys_logs_ends_it(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        yosys.run(["help", "exec -- sleep 30"], tmp_path, interrupt)
    assert time.monotonic() - before < 20
