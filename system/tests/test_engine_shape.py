"""Sizes are those of the engine itself, which the model does not import; bad ones are refused."""

from dataclasses import replace
from typing import Any

import pytest

from hw.bus.registers import STAGES
from hw.config import PRESETS, EngineConfig
from hw.pair.dau import Dau
from hw.pair.limits import merge_wait
from hw.pair.pairing import Pairing
from hw.refine.convergence import Convergence
from hw.refine.run_reader import RING_TOKENS
from hw.regions import JobSizes
from software.study.statistics import KEPT_MEMBERS
from system.engine_cycles import job_cost
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics, PairingCount
from system.stages.comparison import Comparison
from system.tests.shapes import SMALL, small_job

CONFIGS = [*PRESETS.values(), replace(PRESETS["tiny"], scale_group=4, dst_lanes=3)]


def shape(config: EngineConfig) -> EngineShape:
    return EngineShape.from_dict(config.as_dict())


@pytest.mark.parametrize("config", CONFIGS)
def test_an_engines_sizes_are_the_configs(config: EngineConfig) -> None:
    found = shape(config)
    for name in (
        "lanes", "resident_src", "records_per_beat", "levels_per_beat", "values_per_beat",
        "chunks_per_beat", "chunk_records", "max_chunks", "loss_bits",
    ):  # fmt: skip
        assert getattr(found, name) == getattr(config, name), name
    assert found.convergence_cycles == Convergence(config).latency


@pytest.mark.parametrize("config", CONFIGS)
def test_a_jobs_sizes_are_the_regions(config: EngineConfig) -> None:
    job, sizes = JobShape(shape(config), 61, 53, 17, 9), JobSizes(config, 61, 53, 17)
    for name in ("num_src", "chunks", "row_beats", "entry_beats"):
        assert getattr(job, name) == getattr(sizes, name), name
    assert job.value_row_beats == sizes.token_row_beats
    assert job.list_beats(17) == sizes.dst_beats


@pytest.mark.parametrize("config", CONFIGS)
def test_a_comparisons_cycles_are_the_engines(config: EngineConfig) -> None:
    comparison = Comparison(JobShape(shape(config), 61, 53, 17, 9))
    assert comparison.latency == Dau.latency
    assert comparison.drain == merge_wait(config, Dau.latency)
    assert comparison.least == Pairing.pass_cycles(config)


def test_what_counts_and_stages_are_called_like() -> None:
    assert KEPT_MEMBERS == RING_TOKENS
    counts = MatchStatistics(100, 128, 20, (PairingCount(0, 0, 80),), ())
    assert set(job_cost(small_job(), counts).stages) <= set(STAGES)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"dst_lanes": 0}, "dst_lanes is 0; it must be a whole number from 1 up"),
        ({"src_lanes": 2.5}, "src_lanes is 2.5; it must be a whole number"),
        ({"fifo_beats": True}, "fifo_beats is True"),
        ({"token_format": "fp8"}, "token_format is 'fp8'; it must be fp16 or bf16"),
    ],
)
def test_bad_engines(change: dict[str, Any], rule: str) -> None:
    content = {**PRESETS["tiny"].as_dict(), **change}
    with pytest.raises(ValueError, match=rule):
        EngineShape.from_dict(content)


def test_a_config_that_lacks_a_field() -> None:
    content = PRESETS["tiny"].as_dict()
    del content["dst_lanes"], content["bus_bytes"]
    with pytest.raises(ValueError, match="the engine's config lacks dst_lanes, bus_bytes"):
        EngineShape.from_dict(content)


@pytest.mark.parametrize(
    ("sizes", "rule"),
    [
        ((100, 128, 0, 0), "M is 0; it must be at least 1 and less than N, 100"),
        ((100, 128, 100, 0), "M is 100; it must be at least 1 and less than N, 100"),
        ((100, 0, 20, 0), "D is 0; it must be at least 1"),
        ((100, 128, 20, 81), r"K is 81; it must lie in 0..80, N - M"),
        ((5000, 128, 20, 0), "N is 5000, but the engine holds at most 4096"),
        ((100, 513, 20, 0), "D is 513, but the engine holds at most 512"),
        ((4096, 128, 2049, 0), "M is 2049, but the engine holds at most 2048"),
    ],
)
def test_bad_jobs(sizes: tuple[int, int, int, int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        JobShape(SMALL, *sizes)
