"""The runner of testbenches: a build that was killed does not pass for the one before it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tb import runner


class Wires(wiring.Component):
    """As many bits as asked for, from its input to its output."""

    def __init__(self, width: int):
        super().__init__({"a": In(width), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self.a)
        return m


def test_a_killed_build_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build(*, build_dir: Path, sources: list[Path], **_: Any) -> None:
        text = sources[0].read_text()
        (build_dir / "model").write_text("half")
        if "[1:0]" in text:
            raise KeyboardInterrupt
        (build_dir / "model").write_text(text)
        built.append(text)

    fake = SimpleNamespace(build=build, test=lambda **_: None)
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    monkeypatch.setattr(runner, "get_runner", lambda name: fake)
    monkeypatch.setattr(runner, "get_results", lambda found: (1, 0))
    monkeypatch.setattr(
        runner, "_copy_runtime", lambda source, target: target.mkdir(parents=True, exist_ok=True)
    )
    runner.simulate(Wires(3), "none", "wires")
    with pytest.raises(KeyboardInterrupt):
        runner.simulate(Wires(2), "none", "wires")
    for _ in range(2):
        runner.simulate(Wires(3), "none", "wires")
        assert (tmp_path / "wires" / "sim" / "model").read_text() == built[0]
    assert len(built) == 2
