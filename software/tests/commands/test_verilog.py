"""What ``orbis verilog`` writes: the same on every run, described truly, and clean."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hw.bus.registers import REGISTERS
from hw.config import PRESETS
from hw.emit.toolchain import verilator_environment
from software.commands.cli import app
from software.library.backends.rtl import RtlBackend
from software.library.errors import SetupError
from synth.lint import ACCEPTED

ROOT = Path(__file__).parents[3]
FILES = {"orbis_tiny.v", "orbis_tiny.json", "orbis_registers.h"}


def write(folder: Path, hash_seed: str, *options: str) -> None:
    """Run ``orbis verilog`` in a process of its own."""
    command = [sys.executable, "-c", "from software.commands.cli import main; main()", "verilog"]
    subprocess.run(
        [*command, "--preset", "tiny", *options, "-o", str(folder)],
        check=True, capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("verilog")
    write(made, "1")
    return made


def test_it_is_the_same_to_the_byte(folder: Path, tmp_path: Path) -> None:
    for hash_seed in ("2", "random"):
        write(tmp_path / hash_seed, hash_seed)
        for name in FILES:
            assert (tmp_path / hash_seed / name).read_bytes() == (folder / name).read_bytes()


def test_nothing_else_is_left(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES


def test_the_description_matches_the_verilog(folder: Path) -> None:
    description = json.loads((folder / "orbis_tiny.json").read_text())
    text = (folder / "orbis_tiny.v").read_text()
    module = text[text.index("\nmodule orbis_tiny(") :]
    module = module[: module.index("\nendmodule")]
    declared = {
        name: (direction, int(high or 0) + 1)
        for direction, high, name in re.findall(
            r"^  (input|output) (?:reg )?(?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE
        )
    }
    described = {port["name"]: (port["direction"], port["width"]) for port in description["ports"]}
    assert described == declared
    assert len(described) == 3 + 33 + 19  # clocking and interrupt, AXI4, AXI4-Lite

    config = PRESETS["tiny"]
    assert description["module"] == "orbis_tiny"
    assert description["config"] == config.as_dict()
    assert int(description["config_hash"], 16) == config.hash
    assert [(r["name"], r["offset"]) for r in description["registers"]] == [
        (register.name, register.offset) for register in REGISTERS
    ]


def test_the_example_instantiates_it(folder: Path, tmp_path: Path) -> None:
    """Every port of the engine is connected, with its width."""
    engine = tmp_path / "engine.v"
    engine.write_text((folder / "orbis_tiny.v").read_text().replace("orbis_tiny", "orbis_demo"))
    example = ROOT / "docs" / "orbis_top.v"
    bus = f"-GBUS_BYTES={PRESETS['tiny'].bus_bytes}"
    flags = ("--lint-only", "-Wall", *(f"-Wno-{name}" for name in ACCEPTED), bus)
    subprocess.run(
        ["verilator", *flags, "--top-module", "orbis_top", str(example), str(engine)],
        check=True, env=verilator_environment(),
    )  # fmt: skip


def test_the_scale_group_is_the_presets_unless_given(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "1", "--scale-group", "4")
    config = json.loads((tmp_path / "orbis_tiny.json").read_text())["config"]
    assert config["scale_group"] == 4
    assert json.loads((folder / "orbis_tiny.json").read_text())["config"]["scale_group"] == 1


def test_bad_options() -> None:
    for options, rule in (
        (["--preset", "huge"], "preset is 'huge'"),
        (["--scale-group", "3"], "scale_group is 3, but must be 1 or channel_lanes (16)"),
    ):
        result = CliRunner().invoke(app, ["verilog", *options, "-o", "build/none"])
        assert result.exit_code == 2
        assert rule in result.stderr


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("echo yosys: no licence. >&2; exit 1", "yosys: no licence."),
        ("test $1 = -V && echo Yosys 0.50 || kill -9 $$",
         "it said nothing, as when memory runs out."),
    ],
)  # fmt: skip
def test_a_yosys_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, rule: str
) -> None:
    tool, out = tmp_path / "yosys", tmp_path / "out"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(tool))
    monkeypatch.setenv("ORBIS_CACHE", str(tmp_path / "cache"))
    sentence = f"Yosys, which writes the Verilog, failed: {rule}"
    done = CliRunner().invoke(app, ["verilog", "--preset", "tiny", "-o", str(out)])
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"orbis: {sentence}\n")
    assert not list(out.iterdir())
    with pytest.raises(SetupError) as refused:
        RtlBackend(PRESETS["tiny"]).prepare()
    assert str(refused.value) == sentence
