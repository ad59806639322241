"""No command writes over what it reads, by whatever name, and it says so before any work."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hw.config import PRESETS
from software.commands.cli import app
from software.demo import tokens
from software.demo.model import build_model
from software.library.files import write_json
from synth.builtin import write_builtin


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with inputs of each kind."""
    monkeypatch.chdir(tmp_path)

    def begin(*_: object, **__: object) -> None:
        raise AssertionError("work began before the refusal")

    for work in (
        "golden.qe.quantize", "software.library.backends.make_backend",
        "hw.emit.verilog.modules_of", "software.demo.diffusion.denoise",
        "software.study.evaluation.workers.measure_all",
    ):  # fmt: skip
        monkeypatch.setattr(work, begin)
    np.save("tokens.npy", np.zeros((12, 4), np.float16))
    np.save("init.npy", np.array([3, 1]))
    write_json(Path("sizes.json"), PRESETS["tiny"].as_dict())
    Path("cells").mkdir()
    write_builtin(Path("cells/a.lib"))
    Path("cells/b.lib.gz").write_bytes(gzip.compress(Path("cells/a.lib").read_bytes()))
    build_model(1).save_pretrained("model")


MATCH = ["match", "tokens.npy", "--num-dst", "2", "--reduce", "3"]
COMMANDS: dict[str, tuple[list[str], str, str]] = {
    "quantize": (["quantize", "tokens.npy", "-o", "out"], "out", "tokens.npy"),
    "match": ([*MATCH, "-o", "out"], "out", "tokens.npy"),
    "init": ([*MATCH, "--init", "init.npy", "-o", "out"], "out", "init.npy"),
    "area --json": (["area", "--liberty", "cells/a.lib", "--json", "out"], "out", "cells/a.lib"),
    "area --plot": (["area", "--liberty", "cells", "--plot", "out"], "out", "cells/b.lib.gz"),
    "libraries": (["libraries", "-l", "cells", "-o", "."], "libraries.md", "cells/b.lib.gz"),
    "verilog": (["verilog", "--config", "sizes.json", "--name", "m", "-o", "."], "m.sdc",
                "sizes.json"),
    "video": (["video", "--weights", "model", "-o", "."], "metrics.json", "model/config.json"),
    "evaluate": (
        ["evaluate", "--weights", "model", "-o", "."],
        "evaluation.png", "model/diffusion_pytorch_model.safetensors",
    ),
}  # fmt: skip
"""Of each command, which output is to lead to which input."""


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("lead", [os.symlink, os.link], ids=["symlink", "hard link"])
def test_an_input_is_kept(name: str, lead: Callable[[str, str], None]) -> None:
    given, output, read = COMMANDS[name]
    content = Path(read).read_bytes()
    lead(read, output)
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2, result.exception
    told = f"orbis: {output} is an input as well ({read}); write to another file.\n"
    assert result.stderr == told
    assert Path(read).read_bytes() == content


@pytest.mark.parametrize("given", [["quantize", "tokens.npy"], MATCH], ids=["quantize", "match"])
def test_the_same_path_is_refused(given: list[str]) -> None:
    content = Path("tokens.npy").read_bytes()
    result = CliRunner().invoke(app, [*given, "-o", "tokens.npy"])
    assert result.exit_code == 2
    assert "tokens.npy is an input as well" in result.stderr
    assert Path("tokens.npy").read_bytes() == content


def test_two_outputs_are_two_files() -> None:
    result = CliRunner().invoke(app, ["area", "--json", "out", "--plot", "./out"])
    assert result.exit_code == 2
    assert result.stderr == "orbis: out is written twice; each output needs a file of its own.\n"


@pytest.mark.parametrize(
    ("given", "output"),
    [
        (["verilog", "-o", "."], "orbis_registers.h"), (["video", "-o", "."], "video.gif"),
        (["evaluate", "-o", "."], "evaluation.html"), (["area", "--json", "out"], "out"),
        (["area", "--plot", "out"], "out"),
        (["libraries", "-l", "cells", "-o", "."], "libraries.json"),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be_is_found_before_the_work(
    monkeypatch: pytest.MonkeyPatch, given: list[str], output: str
) -> None:
    monkeypatch.setattr("hw.emit.verilog.write_verilog", None)
    Path(output).mkdir()
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2, result.exception
    assert result.stderr == f"orbis: {output} is a folder; the output must be a file.\n"


def test_the_projects_own_command_checks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "WEIGHTS", Path("model"))
    monkeypatch.setattr(tokens, "load_model", None)
    with pytest.raises(ValueError, match="is an input as well"):
        tokens.main(["-o", "model/config.json"])
