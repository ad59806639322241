"""An exploration: which engines, what is measured of them, the front, and going on after a kill."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from golden.options import MatchOptions
from golden.qe import quantize
from hw.config import PRESETS
from hw.pair.dau import Dau
from software.commands.cli import app
from software.demo.model import load_model
from software.library.npy import load_tokens
from software.study.chunks import Lanes
from software.study.evaluation.runs import WholeRun
from software.study.exploration import points, run
from software.study.exploration.space import parse_axis, space_of
from software.study.exploration.tasks import EXACT, EXPERIMENT, Area, Counts, Quality, Scale, key
from software.study.statistics import count_match
from system.match_statistics import MatchStatistics

PAPER, TINY = PRESETS["paper"], PRESETS["tiny"]
ARRAYS = ((2, 2, 4), (1, 3, 4))


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.npy"
    np.save(path, np.random.default_rng(0).standard_normal((60, 64)).astype(np.float16))
    return path


def test_axes_are_crossed_over_the_preset() -> None:
    space = space_of(PAPER, [{"dst_lanes": (2, 4), "src_lanes": (8, 16)}, {"sorter_width": (4,)}])
    assert space.configs == (
        PAPER, replace(PAPER, dst_lanes=2), replace(PAPER, dst_lanes=2, src_lanes=16),
        replace(PAPER, src_lanes=16), replace(PAPER, sorter_width=4),
    )  # fmt: skip
    assert space.skipped == 0


def test_shared_scales_follow_the_lanes() -> None:
    space = space_of(PAPER, [{"channel_lanes": (8, 64)}])
    assert space.configs == (PAPER, replace(PAPER, channel_lanes=8, scale_group=8))
    assert space.skipped == 1  # 64 channels of 4 bits are more than half a beat of 32 bytes
    own = replace(TINY, scale_group=1)
    assert space_of(own, [{"channel_lanes": (8,)}]).configs[1].scale_group == 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("max_tokens=4", "'max_tokens' cannot vary; it must be one of dst_lanes, "),
        ("dst_lanes", "dst_lanes varies over ''; it must be whole numbers with commas"),
        ("dst_lanes=2,-1", "dst_lanes varies over '2,-1'; it must be whole numbers"),
    ],
)
def test_an_axis_that_is_none(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_axis(text)


def test_no_engine_at_all() -> None:
    with pytest.raises(ValueError, match="no engine varies so: sorter_width is 3"):
        space_of(PAPER, [dict([parse_axis("sorter_width=3")])])


@given(st.lists(st.tuples(*[st.integers(1, 4)] * 3), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(marks: list[tuple[int, int, int]]) -> None:
    found = points.mark_front(
        [
            {
                "area": {"mm2": {"28": float(area)}},
                "layers": {
                    "one": {"margin": 1 / time, "bandwidth_share": share / 2, "cycles": 0},
                    "two": {"margin": 2 / time, "bandwidth_share": share, "cycles": 0},
                },
            }
            for area, time, share in marks
        ]
    )
    for mine, point in zip(marks, found, strict=True):
        beaten = [o for o in marks if o != mine and all(np.array(o) <= np.array(mine))]
        assert point["front"] == (not beaten)


def test_quality_is_that_of_the_same_runs() -> None:
    other = Scale(16, 8)
    found = points.quality({EXACT: [40.0, 50.0], other: [41.0, 49.0]}, EXACT)
    assert found[EXACT] == {"psnr": 45.0, "gain": 0.0, "error": 0.0}
    assert found[other] == {"psnr": 45.0, "gain": 0.0, "error": pytest.approx(1.0)}


def test_a_scale_is_judged_by_its_matches() -> None:
    """The exact one's are those of the evaluation's own runs."""
    run = EXPERIMENT.judge.runs(1)[0]
    expected = WholeRun(run, EXPERIMENT.reduction(EXPERIMENT.ratio), EXPERIMENT.grid)
    assert Quality(EXACT, run).measure()["psnr"] == expected.measure(load_model())["psnr"]
    assert Quality(Scale(16, 1), run).measure()["psnr"] != expected.measure(load_model())["psnr"]


def test_counts_are_those_of_each_array(tokens: Path) -> None:
    counts = Counts(Scale(4, 6), ARRAYS, tokens).measure()
    quantized = quantize(load_tokens(tokens), scale_group=4, weight_bits=6)
    for place, array in enumerate(ARRAYS):
        lanes = Lanes(*array, most_groups=24)
        expected = count_match(quantized, 15, MatchOptions(), lanes=lanes).as_dict()
        assert len(expected["pairings"]) > 2
        found = points.match_statistics(json.loads(json.dumps(counts)), place)
        assert found.pairings == MatchStatistics.from_dict(expected).pairings


def test_a_key_tells_tasks_apart(tokens: Path) -> None:
    before = key(Counts(EXACT, ARRAYS, tokens))
    assert before == key(Counts(EXACT, ARRAYS, tokens))
    assert before != key(Counts(EXACT, ARRAYS[:1], tokens))
    assert key(Area(TINY, 1.0)) != key(Area(replace(TINY, weight_bits=4), 1.0))
    np.save(tokens, np.zeros((60, 64), np.float16))
    assert before != key(Counts(EXACT, ARRAYS, tokens))


@contextmanager
def one_thread(scheduler: str | None = None, jobs: int | None = None) -> Iterator[Client]:
    """Workers in this process, where a test's stand-ins are."""
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None,
        set_as_default=False,
    ) as client:  # fmt: skip
        yield client


def test_what_was_measured_stays(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [Counts(Scale(1, bits), ARRAYS, tokens) for bits in (8, 7, 6)]
    measured: list[Counts] = []

    def measure(task: Counts) -> dict[str, Any]:
        measured.append(task)
        if task == broken:
            raise ZeroDivisionError
        return {"bits": task.scale.weight_bits}

    monkeypatch.setattr(Counts, "measure", measure)
    folder = tmp_path / "found"
    folder.mkdir()
    broken: Counts | None = tasks[2]
    with one_thread() as client, pytest.raises(ZeroDivisionError):
        run.measure_all(client, tasks, folder, lambda kind: None)
    broken = None
    kinds: list[str] = []
    with one_thread() as client:
        found = run.measure_all(client, tasks, folder, kinds.append)
        assert run.measure_all(client, tasks, folder, kinds.append) == found
    assert found == {task: {"bits": task.scale.weight_bits} for task in tasks}
    assert [task.scale.weight_bits for task in measured] == [8, 7, 6, 6]
    assert kinds == ["counts"] * 6


def explore(*options: object) -> Result:
    return CliRunner().invoke(app, ["explore", *map(str, options)])


def test_the_command(tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a unit in place of the engine, which takes minutes."""
    monkeypatch.setattr("hw.engine.DatmEngine", Dau)
    monkeypatch.setattr(run, "cluster", one_thread)
    monkeypatch.setenv("ORBIS_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "out"
    asked = ["--preset", "tiny", "--vary", "dst_lanes=1,2", "--vary", "sorter_width=2,3,4",
             "--model", "60,64,15,20", "--tokens", tokens, "--seeds", 0, "-o", output]  # fmt: skip
    result = explore(*asked)
    assert result.exit_code == 0, result.output
    found = json.loads((output / "exploration.json").read_text())
    assert len(found["points"]) == 4
    assert found["skipped"] == 2
    assert {point["name"] for point in found["points"]} == {
        "1x2x4", "2x2x4", "1x2x4, sorter_width 2", "2x2x4, sorter_width 2",
    }  # fmt: skip
    areas = [point["area"]["mm2"]["28"] for point in found["points"]]
    assert areas == sorted(areas)
    assert any(point["front"] for point in found["points"])
    for point in found["points"]:
        assert point["layers"]["60,64,15,20"]["cycles"] > 1000
        assert point["lanes"] == 8 * point["config"]["dst_lanes"]
        shown = "tiny" if point["name"] == "2x2x4" else point["name"]
        assert (f"\n{shown} " in result.stdout) == (point["front"] or shown == "tiny")
    assert (output / "exploration.png").read_bytes().startswith(b"\x89PNG")
    assert "2 combinations are no engine." in result.stdout


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--vary", "lanes=2"], "'lanes' cannot vary; it must be one of"),
        (["--model", "hunyuan"], "model is 'hunyuan'; it must be one of"),
        (["--vary", "src_lanes=4", "--vary", "src_lanes=8"], "src_lanes varies twice; give all"),
        (["--model", "hunyuanvideo", "--model", "60,64,15,20"], "of sizes, not both."),
        (["--preset", "demo"], "N is 17550, but the engine holds at most 1024."),
        (["--seeds", 9], "seeds is 9; it must be from 0 to 3."),
        (["--period", 0], "period is 0.0 ns; it must be above 0."),
        (["--jobs", 0], "jobs is 0; it must be at least 1."),
        (["--scheduler", "tcp://127.0.0.1:9"], "no scheduler answers at 'tcp://127.0.0.1:9'."),
        (["--tokens", "none.npy"], "none.npy: no such file"),
    ],
)
def test_bad_input(
    options: list[Any], rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_PATIENCE", "0.2s")
    result = explore("-o", tmp_path / "out", *options)
    assert result.exit_code == 2, result.output
    assert rule in " ".join(result.stderr.split())
    assert not (tmp_path / "out" / "exploration.json").exists()
