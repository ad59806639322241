"""``orbis cycles``: what it tells, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hw.config import PRESETS
from software.commands.cli import app
from system.engine_cycles import job_cost
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import measured


def orbis(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def figures(*arguments: object) -> dict[str, Any]:
    result = orbis("cycles", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


COUNTS = {
    "tokens": 60,
    "channels": 30,
    "num_dst": 12,
    "pairings": [{"moved": 0, "compared": 0, "full": 48}],
    "updates": [],
}


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.json"
    path.write_text(json.dumps(COUNTS))
    return path


def test_by_default() -> None:
    found = figures()
    engine = EngineShape.from_dict(PRESETS["paper"].as_dict())
    expected = job_cost(
        JobShape(engine, 17_550, 3_072, 4_388, 6_669), measured("cogvideox-5b")
    ).total
    assert found["cycles"] == round(expected.cycles)
    assert found["bytes_read"] == expected.read * engine.bus_bytes
    assert found["bytes_written"] == expected.written * engine.bus_bytes
    assert sum(each["cycles"] for each in found["stages"]) == pytest.approx(found["cycles"], abs=30)
    assert sum(each["share"] for each in found["stages"]) == pytest.approx(1, abs=1e-6)
    assert (found["preset"], found["arrangement"], found["latency"]) == ("paper", "own", 100)
    assert found["statistics"] == "shipped: cogvideox-5b's size, of real video"
    assert found["scaled"] is False
    assert found["margin"] == pytest.approx(38 * found["layer_cycles"] / found["cycles"], rel=1e-6)
    assert found["hidden"] is True
    assert 0 < found["bandwidth_share"] < 1
    assert 0.5 < found["utilisation"] < 1


def test_arrangements_and_latency() -> None:
    own, shared = figures(), figures("--arrangement", "shared")
    assert shared["available_cycles"] == own["layer_cycles"] == shared["layer_cycles"]
    assert shared["cycles"] < own["cycles"] / 25
    assert shared["bytes_read"] < own["bytes_read"] / 20
    assert figures("--latency", 500)["cycles"] > own["cycles"]


def test_fewer_engines() -> None:
    own, ten = figures(), figures("--engines", 10)
    assert ten["engines"] == 10
    assert ten["cycles"] == own["cycles"]
    assert ten["available_cycles"] == pytest.approx(10 * own["layer_cycles"], rel=1e-6)
    assert ten["bandwidth_share"] == pytest.approx(own["bandwidth_share"] * 10 / 38)
    shown = orbis("cycles", "--engines", 10).stdout
    assert "each of 10 engines takes one layer in 10, whole; it has" in shown


def test_other_sizes_are_scaled() -> None:
    found = figures("--model", "8000,1024,2000,3000")
    assert found["scaled"] is True
    assert found["notes"][0] == (
        "counts of 17,550 tokens of 3,072 channels and 4,388 dst, scaled by their shares"
    )
    assert (found["tokens"], found["channels"]) == (8000, 1024)
    assert (found["num_dst"], found["reduce"]) == (2000, 3000)
    assert (found["hidden"], found["margin"], found["layer_mac"]) == (None, None, None)
    assert figures("--model", "hunyuanvideo")["layer_cycles"] == pytest.approx(229.4e6, rel=0.001)


def test_counts_of_a_file(counts: Path) -> None:
    found = figures("--preset", "tiny", "--model", "60,30,12,20", "--statistics", counts)
    assert found["statistics"] == str(counts)
    assert found["scaled"] is False
    assert found["notes"] == ["no comparison ends early: the counts do not tell how far they go"]
    assert [each["stage"] for each in found["stages"]] == [
        "quantize", "init", "pair", "topk", "topk",
    ]  # fmt: skip


def test_a_table_for_people() -> None:
    shown = orbis("cycles", "--arrangement", "shared").stdout
    lines = shown.splitlines()
    assert lines[0].split() == ["part", "cycles", "share", "MB", "read", "MB", "written"]
    assert any(line.startswith("pairing 1, all slots") for line in lines)
    for name in ("job", "statistics", "in all", "a layer", "hidden", "memory", "lanes"):
        assert any(line.startswith(name) for line in lines), name
    alone = orbis("cycles", "--model", "8000,1024,2000,3000").stdout
    assert "a layer" not in alone
    assert "* counts of 17,550 tokens" in alone


BAD: dict[str, tuple[list[object], str]] = {
    "model": (["--model", "sora"], "model is 'sora'; it must be one of cogvideox-5b, hunyuanvideo"),
    "three sizes": (["--model", "10,20,30"], "or four whole numbers N,D,M,K"),
    "M = N": (["--model", "100,64,100,0"], "M is 100; it must be at least 1 and less than N, 100"),
    "K": (["--model", "100,64,20,81"], "K is 81; it must lie in 0..80"),
    "preset": (["--preset", "huge"], "preset is 'huge'; it must be one of"),
    "too large": (["--preset", "demo"], "N is 17550, but the engine holds at most 1024"),
    "engines": (["--engines", 39], "engines is 39; it must lie in 1..38"),
    "latency": (["--latency", -3], "latency is -3; it must be at least 1 cycle"),
    "arrangement": (["--arrangement", "both"], "invalid value for '--arrangement'"),
    "no file": (["--statistics", "none.json"], "none.json: no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be(name: str) -> None:
    options, rule = BAD[name]
    refused(orbis("cycles", *options), rule)


def refused(result: Result, rule: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("orbis: ")
    assert result.stderr.endswith(".\n")
    assert rule in result.stderr


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("no json", "is not JSON"),
        ("\xff", "is not JSON"),
        ("[]", "are not those that orbis statistics writes"),
        (json.dumps({**COUNTS, "pairings": []}), "hold no pairing"),
        (json.dumps({**COUNTS, "updates": [{}]}), "writes: 'groups' is missing"),
        (json.dumps({**COUNTS, "tokens": 4.5}), "tokens of the statistics is 4.5"),
        (json.dumps({**COUNTS, "pairings": COUNTS["pairings"] * 40,  # type: ignore[operator]
                     "updates": [{"groups": 0, "members": 0, "moved": 0, "recounted": 0,
                                  "long": []}] * 39}),
         "hold 40 pairings, but the engine does at most 32"),
    ],
)  # fmt: skip
def test_counts_of_the_wrong_kind(tmp_path: Path, content: str, rule: str) -> None:
    path = tmp_path / "counts.json"
    path.write_text(content, encoding="latin-1")
    refused(orbis("cycles", "--statistics", path), rule)


def test_help_has_an_example() -> None:
    assert "orbis cycles" in orbis("cycles", "--help").stdout.split("Example")[1]
