import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hw.pair.dau import Dau
from software.commands.cli import app


@pytest.fixture(autouse=True)
def small_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A unit in place of the engine, which takes a minute."""
    monkeypatch.setattr("hw.engine.DatmEngine", Dau)
    monkeypatch.setenv("ORBIS_CACHE", str(tmp_path / "cache"))


def run(*options: object) -> Result:
    return CliRunner().invoke(app, ["area", "--preset", "tiny", *map(str, options)])


def test_table_json_and_picture_agree(tmp_path: Path) -> None:
    result = run("--json", tmp_path / "area.json", "--plot", tmp_path / "area.png")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "area.json").read_text())
    summary, module = found["summary"], found["modules"][0]
    assert found["made_from"]["preset"] == "tiny"
    assert found["made_from"]["liberty"] == ["built in"]
    assert module["module"] == "element_0_0"
    table = re.search(r"^element_0_0 +4 +([\d,]+) +([\d,]+) ", result.stdout, re.MULTILINE)
    assert table
    assert table[1] == f"{round(module['area']):,}"
    assert table[2] == f"{round(module['total']):,}"
    assert f"{module['start']['net']} (hw/pair/dau.py:" in result.stdout
    assert f"{summary['logic']:,.0f} um2, {summary['kge']:,.1f} kGE" in result.stdout
    assert "orbis_builtin_45nm (NAND2 0.798 um2)" in result.stdout
    assert all(caveat in result.stdout for caveat in found["caveats"])
    assert (tmp_path / "area.png").stat().st_size > 1000


def test_joined(tmp_path: Path) -> None:
    result = run("--joined", "--json", tmp_path / "area.json")
    assert result.exit_code == 0, result.output
    joined = json.loads((tmp_path / "area.json").read_text())["joined"]
    assert f"{joined['logic']:,.0f} um2 of cells, sized as one" in result.stdout
    assert f"{joined['delay']:.0f} ps, {joined['start']} to {joined['end']}" in result.stdout
    assert f"{joined['scaled_mm2']['28']:.4f} mm2" in result.stdout


def test_a_unit_alone() -> None:
    result = run("--unit", "element_0_0")
    assert result.exit_code == 0, result.output
    assert re.search(r"^element_0_0 +1 .* 100.0% ", result.stdout, re.MULTILINE)


def test_bad_input_is_refused_in_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    cut = tmp_path / "cut.lib"
    cut.write_text("library (empty) { }")
    output = tmp_path / "area.json"
    for options, rule in (
        (["--period", 0], "period is 0.0 ns; it must be above 0."),
        (["--preset", "huge"], "preset is 'huge'; it must be one of"),
        (["--joined", "--flat"], "--joined is of the whole engine, without --flat"),
        (["--unit", "gpu"], "unit is 'gpu'; it must be one of element_0_0, top."),
        (["--liberty", cut], "holds 0 cells but no flip-flop"),
        (["--liberty", tmp_path / "none.lib"], "none.lib: no such file or directory."),
    ):
        result = run(*options, "--json", output)
        assert result.exit_code == 2
        assert rule in result.stderr
        assert not output.exists()
