"""``orbis fpga``, but for the tools' own minutes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hw.config import PRESETS, EngineConfig
from hw.emit.toolchain import ToolError
from software.commands.cli import app
from synth.fpga import SEED, Bitstream, LongestPath, Used

MADE = Bitstream(
    content=b"bits", device="LFE5U-85F", clock_mhz=25.0, fmax_mhz=41.5,
    resources={"luts": Used(12_345, 83_640), "multipliers": Used(7, 156)},
    path=LongestPath("begin", "end", 4.5, 9.25), memory_bytes=13_056,
    seconds={"yosys": 60.0, "nextpnr-ecp5": 200.5}, versions={"amaranth": "1"},
)  # fmt: skip


class Build:
    """In place of `synth.fpga.build`."""

    def __init__(self) -> None:
        self.asked: list[tuple[EngineConfig, str, int]] = []
        self.error: Exception | None = None

    def __call__(
        self, config: EngineConfig, board: str, baud: int, folder: Path, begun: object
    ) -> Bitstream:
        self.asked.append((config, board, baud))
        assert not list(folder.iterdir())
        if self.error is not None:
            raise self.error
        return MADE


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Build:
    made = Build()
    monkeypatch.setattr("synth.fpga.build", made)
    return made


def run(*options: object) -> Result:
    return CliRunner().invoke(app, ["fpga", *map(str, options)])


def test_the_bitstream_and_its_report_are_written(build: Build, tmp_path: Path) -> None:
    result = run("--preset", "tiny", "--baud", 500_000, "-o", tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert build.asked == [(PRESETS["tiny"], "ulx3s", 500_000)]
    assert (tmp_path / "new" / "orbis_tiny.bit").read_bytes() == b"bits"
    report = json.loads((tmp_path / "new" / "orbis_tiny_fpga.json").read_text())
    assert report["made_from"] == {
        "board": "ulx3s", "preset": "tiny", "scale_group": 1, "baud": 500_000, "seed": SEED,
        "config_hash": f"{PRESETS['tiny'].hash:#010x}",
    }  # fmt: skip
    assert report["config"] == PRESETS["tiny"].as_dict()
    assert report["resources"]["luts"] == {"used": 12_345, "available": 83_640}
    assert "content" not in report
    for said in ("12,345 of 83,640", "25 MHz; good for 41.5 MHz", "260.5", "orbis_tiny.bit"):
        assert said in result.stdout


def test_json_is_the_report_and_where_it_is(build: Build, tmp_path: Path) -> None:
    result = run("--preset", "demo", "--json", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    (config, _, _) = build.asked[0]
    assert config == PRESETS["demo"]
    found = json.loads(result.stdout)
    written = tmp_path / "orbis_demo_fpga.json"
    places = {"bitstream": str(tmp_path / "orbis_demo.bit"), "report": str(written)}
    assert found == json.loads(written.read_text()) | places


def test_what_does_not_fit_is_told_and_nothing_is_written(build: Build, tmp_path: Path) -> None:
    build.error = ToolError("nextpnr-ecp5 ended with code 1: it does not fit")
    result = run("-o", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == "orbis: nextpnr-ecp5 ended with code 1: it does not fit.\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--preset", "huge"], "preset is 'huge'; it must be one of"),
        (["--scale-group", 3], "scale_group is 3, but must be 1 or channel_lanes (4)"),
        (["--board", "other"], "other"),
    ],
)
def test_bad_options_are_refused(options: list[object], rule: str, tmp_path: Path) -> None:
    result = run(*options, "-o", tmp_path)
    assert result.exit_code == 2
    assert rule in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
