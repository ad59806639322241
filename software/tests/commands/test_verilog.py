"""What ``orbis verilog`` writes: the same on every run, described truly, and clean."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hw.bus.registers import REGISTERS
from hw.config import PRESETS
from hw.emit.handover import HEADER, fixed_files
from hw.emit.sdc import DEFAULT_PERIOD_NS
from hw.emit.toolchain import verilator_environment
from hw.emit.verilog import modules_of
from hw.engine import DatmEngine
from software.commands.cli import app
from software.commands.engine_config import chosen_config
from software.library.backends.rtl import RtlBackend
from software.library.errors import SetupError
from software.library.files import write_json
from synth.lint import ACCEPTED
from synth.mapping import Flow
from synth.memories import macros
from synth.sram import Macro

ROOT = Path(__file__).parents[3]
MAIN = "from software.commands.cli import main; main()"
ACCEPTED_FLAGS = tuple(f"-Wno-{name}" for name in ACCEPTED)


def write(folder: Path, *options: object, hash_seed: str = "1") -> None:
    """Run ``orbis verilog`` in a process of its own; for the tiny preset if no other is given."""
    given = options if "--config" in options else ("--preset", "tiny", *options)
    subprocess.run(
        [sys.executable, "-c", MAIN, "verilog", *map(str, given), "-o", str(folder)],
        check=True, capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lint(folder: Path, *arguments: object) -> None:
    """Verilator says nothing but what is accepted."""
    command = ["verilator", "--lint-only", "-Wall", *ACCEPTED_FLAGS, *map(str, arguments)]
    subprocess.run(command, check=True, env=verilator_environment(), cwd=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("verilog")
    write(made)
    return made


@pytest.fixture(scope="module")
def description(folder: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((folder / "orbis_tiny.json").read_text())
    return described


def test_it_is_the_same_to_the_byte(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, hash_seed="2")
    assert contents(tmp_path) == contents(folder)


def test_the_description_lists_what_is_there(folder: Path, description: dict[str, Any]) -> None:
    assert set(description["files"]) == set(contents(folder))
    assert set(fixed_files("orbis_tiny")) <= set(description["files"])
    listed = [line for line in (folder / "orbis_tiny.f").read_text().splitlines()
              if not line.startswith("//")]  # fmt: skip
    modules = ["orbis_tiny", *(memory["module"] for memory in description["memories"])]
    assert listed == [f"{module}.v" for module in modules]
    for name in listed:
        assert re.findall(r"^module (\w+)", (folder / name).read_text(), re.MULTILINE) == [
            name.removesuffix(".v")
        ]


def test_every_file_says_what_it_is(folder: Path) -> None:
    """License, generator and config first; no path of the machine that wrote it."""
    for name, content in contents(folder).items():
        text = content.decode()
        assert "Apache-2.0" in "".join(text.splitlines()[:3])
        assert str(ROOT) not in text
        if name != HEADER:
            assert f"{PRESETS['tiny'].hash:#010x}" in text
            for package in ("orbis", "amaranth"):
                assert re.search(rf"{package}\W+{re.escape(version(package))}", text), name


def test_a_description_gives_the_same_engine_again(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "--config", folder / "orbis_tiny.json")
    assert contents(tmp_path) == contents(folder)


def test_engines_of_different_configs_live_in_one_design(folder: Path, tmp_path: Path) -> None:
    """Of one preset, under names of their own: Verilator tells a module that is there twice."""
    write(tmp_path, "--name", "other", "--set", "max_channels=128", "--set", "max_dst=20")
    described = json.loads((tmp_path / "other.json").read_text())
    assert (described["config"]["max_channels"], described["config"]["max_dst"]) == (128, 20)
    assert described["preset"] is None
    top = tmp_path / "both.v"
    top.write_text("module both (input clk, input rst);\n  orbis_tiny a (.clk(clk), .rst(rst));\n"
                   "  other b (.clk(clk), .rst(rst));\nendmodule\n")  # fmt: skip
    files = ("-F", folder / "orbis_tiny.f", "-F", tmp_path / "other.f", top)
    lint(tmp_path, "-Wno-PINMISSING", "--top-module", "both", *files)
    with pytest.raises(subprocess.CalledProcessError):
        lint(tmp_path, "-Wno-PINMISSING", "--top-module", "both", *files, folder / "orbis_tiny.v")


def test_the_constraints_name_every_port(folder: Path, description: dict[str, Any]) -> None:
    text = (folder / "orbis_tiny.sdc").read_text()
    commands = re.findall(r"^(\w+) (.*)\[get_ports \{(.*)\}\]$", text, re.MULTILINE)
    options = {command: option.strip() for command, option, _ in commands}
    assert options == {
        "create_clock": "-name clk -period 1",
        "set_input_delay": "0.3 -clock clk",
        "set_output_delay": "0.3 -clock clk",
    }
    ports = {command: names.split() for command, _, names in commands}
    for direction in ("input", "output"):
        assert ports[f"set_{direction}_delay"] == [
            f"{port['name']}{'[*]' * (port['width'] > 1)}"
            for port in description["ports"]
            if port["direction"] == direction and port["name"] != "clk"
        ]
    assert ports["create_clock"] == ["clk"]


def test_the_default_period_is_that_of_areas() -> None:
    assert Flow().period_ns == DEFAULT_PERIOD_NS


def test_the_memories_are_those_that_synthesis_counts(description: dict[str, Any]) -> None:
    """Macros by shape, from the modules that are mapped."""
    modules = {module.name: module for module in modules_of(DatmEngine(PRESETS["tiny"]), "top")}

    def counted(name: str) -> Counter[Macro]:
        found = Counter(macros(modules[name]))
        for cell in modules[name].cells:
            if cell.kind in modules:
                found += counted(cell.kind)
        return found

    described: Counter[Macro] = Counter()
    for each in description["memories"]:
        if each["kind"] == "sram":
            macro = Macro(each["depth"], each["width"], each["ports"])
            described[macro] += each["instances"]
    assert described == counted("\\top")
    assert len(described) > 2


def test_the_description_matches_the_verilog(folder: Path, description: dict[str, Any]) -> None:
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
    example = tmp_path / "orbis_top.v"
    text = (ROOT / "docs" / example.name).read_text()
    assert "orbis_demo engine" in text
    example.write_text(text.replace("orbis_demo engine", "orbis_tiny engine"))
    bus = f"-GBUS_BYTES={PRESETS['tiny'].bus_bytes}"
    lint(tmp_path, bus, "--top-module", "orbis_top", example, "-F", folder / "orbis_tiny.f")


def test_the_scale_group_is_the_presets_unless_given(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "--scale-group", "4")
    config = json.loads((tmp_path / "orbis_tiny.json").read_text())["config"]
    assert config["scale_group"] == 4
    assert json.loads((folder / "orbis_tiny.json").read_text())["config"]["scale_group"] == 1


@pytest.fixture
def sizes(tmp_path: Path) -> Path:
    """A file with the fields of a config."""
    path = tmp_path / "sizes.json"
    write_json(path, PRESETS["tiny"].as_dict())
    return path


def refused(*options: object) -> str:
    """The sentence, of a command that writes nothing."""
    given = ["verilog", *map(str, options), "-o", "build/none"]
    result = CliRunner().invoke(app, given)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert not Path("build/none").exists()
    return result.stderr


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ("--preset huge", "preset is 'huge'"),
        ("--scale-group 3", "scale_group is 3, but must be 1 or channel_lanes (16)"),
        ("--set lanes=3", "set names 'lanes'; it must be one of max_tokens, "),
        ("--set max_dst", "set is 'max_dst'; it must be FIELD=VALUE."),
        ("--set max_dst=two", "max_dst is 'two'; it must be a whole number."),
        ("--set max_dst=0", "max_dst is 0, but must be from 1 to 1023"),
        ("--set token_format=fp8", "token_format is 'fp8', but must be fp16 or bf16"),
        ("--set max_dst=1 --set max_dst=2", "a field is set twice"),
        ("--set scale_group=1 --scale-group 16", "scale_group is set to two values"),
        ("--name wire", "name is 'wire', which is a keyword of SystemVerilog."),
        ("--name 2x", "name is '2x'; it must be letters"),
        ("--period-ns 0", "period_ns is 0; it must be above 0"),
        ("--period-ns nan", "period_ns is nan; it must be above 0"),
        ("--config none.json", "none.json"),
    ],
)
def test_bad_options(options: str, rule: str) -> None:
    assert rule in refused(*options.split())


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("{", "is no JSON file."), ("[" * 100_000, "is no JSON file."), ("[1]", "holds no config"),
        ("{}", "lacks max_tokens, max_channels, "), ('{"lanes": 3}', "names 'lanes'; it must be"),
        ('{"max_dst": "8"}', 'max_dst is "8" in'), ('{"max_dst": true}', "max_dst is true in"),
        ('{"max_dst": 8.0}', "it must be a whole number."),
        ('{"token_format": 8}', "it must be text."),
        ('{"config": {}, "module": "m"}', "lacks max_tokens"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_config_is_refused(content: str, rule: str, sizes: Path) -> None:
    sizes.write_text(content)
    assert rule in refused("--config", sizes)


def test_a_file_and_a_preset_are_one_too_many(sizes: Path) -> None:
    assert "preset and config are both given" in refused("--config", sizes, "--preset", "tiny")


def test_a_file_of_fields_names_the_engine_unless_its_name_cannot_be(sizes: Path) -> None:
    odd = sizes.rename(sizes.with_name("my sizes.json"))
    assert "name is 'my sizes'; it must be letters" in refused("--config", odd)
    config, module = chosen_config(None, odd, None, ["max_dst=8"])
    assert (config, module) == (replace(PRESETS["tiny"], max_dst=8), "my sizes")


def test_json_prints_the_description(tmp_path: Path, description: dict[str, Any]) -> None:
    given = ["verilog", "--preset", "tiny", "--period-ns", "2.5", "-o", str(tmp_path), "--json"]
    printed = json.loads(CliRunner().invoke(app, given).stdout)
    assert printed == json.loads((tmp_path / "orbis_tiny.json").read_text())
    assert printed["clock"] == {"port": "clk", "edge": "rising", "period_ns": 2.5}
    assert printed | {"clock": None} == description | {"clock": None}
    text = (tmp_path / "orbis_tiny.sdc").read_text()
    assert "create_clock -name clk -period 2.5 " in text
    assert "set_input_delay 0.75 " in text


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
