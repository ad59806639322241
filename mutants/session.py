"""A session: a unit's tests in this process, which a scratch tree gives all that they import.

Tests can run without simulating: ``simulate`` of `tb.runner` then only makes each design.
"""

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

_SRC = re.compile(r'\(\* src = "[^"]*" \*\)\s*')
"""In Verilog: where in the source something comes from."""


@dataclass
class Simulations:
    """Stands for ``simulate`` of `tb.runner`: keeps each design's Verilog, and simulates it later.

    It stands for the original too, which tests have imported by then.
    """

    simulate: Any
    to_verilog: Any
    running: bool = False
    item: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    components: dict[str, Any] = field(default_factory=dict)
    of_items: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, component: Any, test_module: str, name: str, **options: Any) -> None:
        """As ``simulate``, or only keep the design."""
        if self.running:
            with mock.patch("tb.runner.to_verilog", return_value=self.sources[name]):
                self.simulate(component, test_module, name, **options)
            return
        self.sources[name] = self.to_verilog(component, name)
        self.components[name] = component
        self.of_items.setdefault(self.item, []).append(name)

    @property
    def digests(self) -> dict[str, str]:
        """Of each design, whatever lines of the source it comes from."""
        return {
            name: hashlib.sha256(_SRC.sub("", source).encode()).hexdigest()
            for name, source in self.sources.items()
        }


class Reports:
    """A plugin of pytest that keeps which tests ran, how long, and which failed."""

    def __init__(self, simulations: Simulations):
        self._simulations = simulations
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell the simulations whose they are."""
        self._simulations.item = item.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a step of a test tells."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)


class Session:
    """The tests of a unit, in this process, of which nothing else can be made then.

    Args:
        tree: what is imported, but for what has been before.
        log: takes all output of this process and its children.

    Raises:
        RuntimeError: the project is imported from elsewhere.
    """

    def __init__(self, tree: Path, log: Path):
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(tree)
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "COCOTB_MAX_FAILURES": "1"}
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(tree))
        runner: Any = importlib.import_module("tb.runner")
        if Path(str(runner.__file__)).parents[1] != tree:
            raise RuntimeError(f"the tests import {runner.__file__}, which is not in {tree}")
        self.simulations = Simulations(runner.simulate, runner.to_verilog)
        runner.simulate = self.simulations

    def make_designs(self, tests: Iterable[str]) -> tuple[Reports, bool]:
        """Run tests but no simulation; also whether pytest could collect them."""
        return self._run(tests, running=False)

    def run(self, nodes: Iterable[str], *options: str) -> Reports:
        """Run tests and their simulations."""
        return self._run([*options, *nodes], running=True)[0]

    def _run(self, arguments: Iterable[str], *, running: bool) -> tuple[Reports, bool]:
        self.simulations.running = running
        reports = Reports(self.simulations)
        code = pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[reports])
        collected = code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        return reports, collected
