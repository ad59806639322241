import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hw.pair.dau import Dau
from software.commands.cli import app
from synth.builtin import write_builtin


@pytest.fixture(autouse=True)
def small_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A unit in place of the engine, which takes a minute a library."""
    monkeypatch.setattr("hw.engine.DatmEngine", Dau)
    monkeypatch.setenv("ORBIS_CACHE", str(tmp_path / "cache"))


def run(output: Path, *options: object) -> Result:
    arguments = ["libraries", "--preset", "tiny", "-o", output, *options]
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_folder_of_files_is_one_library_beside_the_builtin_one(tmp_path: Path) -> None:
    library = tmp_path / "mine"
    library.mkdir()
    write_builtin(library / "whole.lib")
    result = run(tmp_path / "out", "-l", library)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "libraries.json").read_text())
    assert [entry["name"] for entry in found["libraries"]] == ["orbis_builtin_45nm"] * 2
    assert found["largest_deviation"] == 0
    assert {unit["unit"]: unit["instances"] for unit in found["units"]} == {
        "top": 1, "element_0_0": 4,
    }  # fmt: skip
    page = (tmp_path / "out" / "libraries.md").read_text()
    assert "Made by `orbis libraries --preset tiny --period 1 -l mine -o out`." in page
    assert f"| {found['units'][0]['areas'][0]:,.0f} (" in page


def test_bad_input_is_refused_in_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    output = tmp_path / "out"
    for options, rule in (
        (["-l", tmp_path / "empty"], "holds no Liberty file (*.lib or *.lib.gz)."),
        (["-l", tmp_path / "none.lib"], "none.lib: no such file or directory."),
        (["-l", tmp_path / "empty", "--period", 0], "period is 0.0 ns; it must be above 0."),
    ):
        result = run(output, *options)
        assert result.exit_code == 2
        assert rule in result.stderr
        assert not output.exists()
