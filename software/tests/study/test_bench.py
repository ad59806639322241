import json
from dataclasses import replace
from pathlib import Path

import pytest

from software.study.bench import __main__ as command
from software.study.bench import attention
from software.study.bench.pairing import CASES, JOBS, Job, measure_all, peak_bytes, show

SMALL = Job(tokens=300, channels=40, num_dst=75, case="log-normal", repeats=2)


@pytest.mark.parametrize("case", CASES)
def test_a_pairing_is_measured_in_its_own_process(case: str) -> None:
    ballast = b"\1" * (1 << 30)  # of this process: the other one has none of it
    (found,) = measure_all([replace(SMALL, case=case)])
    assert (found["tokens"], found["num_dst"], found["case"]) == (300, 75, case)
    assert found["matmul_seconds"] > 0
    assert found["pairing_seconds"] > 0
    assert found["ratio"] == found["pairing_seconds"] / found["matmul_seconds"]
    assert found["threads"] >= 1
    assert 0 < found["peak_bytes"] <= found["peak_bytes_with_matmul"] < len(ballast) < peak_bytes()
    show([found])


def test_the_jobs_have_the_sizes_of_the_design() -> None:
    assert {(job.tokens, job.channels, job.num_dst) for job in JOBS} == {
        (17_550, 3_072, 4_388),
        (67_320, 3_072, 16_830),
    }
    assert {job.case for job in JOBS} == set(CASES)


def test_one_subject_leaves_the_others_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"tiny": {"lanes": 16, "rates": {"Amaranth": 1.0}}}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"machine": "old", "cycles_per_second": rates}))
    key, _, show = command.SUBJECTS["pairing"]
    quick = (key, lambda: measure_all([SMALL]), show)
    monkeypatch.setitem(command.SUBJECTS, "pairing", quick)
    command.main(["--only", "pairing", "--json", str(path)])
    written = json.loads(path.read_text())
    assert written["cycles_per_second"] == rates
    assert [entry["tokens"] for entry in written["pairing"]] == [300]
    assert written["machine"].startswith("Python 3.")


@pytest.mark.parametrize(("way", "bound"), [("Q K V, copy", 0.62**2), ("Q alone, residual", 0.25)])
def test_a_reduced_steps_attention_is_measured_against_the_full_ones(
    way: str, bound: float
) -> None:
    found = attention.sdpa(way, 512, heads=2, channels=16)
    assert found["ratio"] == found["reduced"] / found["full"] > 0
    assert found["bound"] == pytest.approx(bound)
    assert found["times_bound"] == pytest.approx(found["ratio"] / found["bound"])


def test_whole_runs_and_steps_are_measured() -> None:
    steps = attention.steps(layers=1, grid=(2, 4, 4))
    assert steps["num_tokens"] == 32
    assert min(steps["full"], steps["reduced"]) > 0
    loop = attention.loop(repeats=1, steps=4)
    assert loop["reduced_steps"] == 3
    assert loop["reduced"] > loop["matching"] > 0
    way = next(iter(attention.WAYS))
    attention.show({"sdpa": [attention.sdpa(way, 64)], "steps": steps, "loop": loop})
