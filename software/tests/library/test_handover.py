"""The files of ``orbis verilog`` on the simulator, around memories that are as unkind as may be."""

import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from golden.options import MatchOptions
from hw.config import PRESETS
from software.commands.cli import app
from software.library.backends.clocked_match import ClockedMatch
from software.library.backends.rtl import RtlBackend
from software.library.simulator.build import build_library

NAME = "handed_over"
READ = re.compile(r"read_data <= (words?(?:\[(\w+)\])?);")


def unkind(text: str) -> str:
    """A memory's module whose read of what is written in the same cycle gives wrong bits."""
    (read,) = READ.finditer(text)
    word, address = read.groups()
    write = "write_address" if address == "read_address" else address
    collides = "|write_enable" if write == address else f"|write_enable && {address} == {write}"
    return text.replace(read[0], f"read_data <= ({collides}) ? ~{word} : {word};")


def test_nothing_relies_on_what_a_read_gives_that_collides_with_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a macro may give anything; results and cycles are those of the engine as it is."""
    given = ["verilog", "--preset", "tiny", "--name", NAME, "-o", str(tmp_path)]
    assert CliRunner().invoke(app, given).exit_code == 0
    lines = (tmp_path / f"{NAME}.f").read_text().splitlines()
    design, *memories = [line for line in lines if not line.startswith("//")]
    texts = [(tmp_path / design).read_text()]
    texts += [unkind((tmp_path / memory).read_text()) for memory in memories]
    assert len(memories) > 10
    library = build_library("\n".join(texts), NAME)

    generator = torch.Generator().manual_seed(5)
    cases = [
        (torch.randn((tokens, channels), generator=generator).half(), num_dst, reduce)
        for tokens, channels, num_dst, reduce in ((64, 16, 6, 40), (50, 64, 12, 20), (9, 5, 1, 8))
    ]
    found = []
    for unkindly in (False, True):
        if unkindly:
            monkeypatch.setattr(
                "software.library.backends.rtl.engine_library", lambda *_, **__: library
            )
        engine = RtlBackend(PRESETS["tiny"])
        found.append([engine.match(*case, MatchOptions(seed=4, epsilon=0)) for case in cases])
        engine.close()
    for expected, match in zip(*found, strict=True):
        assert isinstance(expected, ClockedMatch)
        assert isinstance(match, ClockedMatch)
        assert match.src.equal(expected.src)
        assert match.dst.equal(expected.dst)
        assert match.loss.equal(expected.loss)
        assert match.stage_cycles == expected.stage_cycles
    assert max(match.iterations for match in found[0]) > 1
