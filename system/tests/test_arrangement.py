"""The models' work is what it is known to be, and what arrangements have of time and traffic."""

from dataclasses import replace

import pytest

from system.arrangement import Arrangement, layer_match
from system.engine_cycles import job_cost
from system.engine_shape import EngineShape, JobShape
from system.match_statistics import MatchStatistics, PairingCount, UpdateCount
from system.memory import Memory
from system.models import MODELS
from system.tests.shapes import SMALL

PAPER = replace(
    SMALL, max_tokens=67_584, max_channels=3_072, max_dst=33_792, src_lanes=8, src_groups=8
)
MEMORY = Memory()


def counts(tokens: int, num_dst: int) -> MatchStatistics:
    src = tokens - num_dst
    pairings = (PairingCount(0, 0, src), PairingCount(num_dst // 5, src * 9 // 10, src // 10))
    updates = (UpdateCount(num_dst // 2, tokens * 4 // 5, num_dst // 5, num_dst // 2),)
    return MatchStatistics(tokens, 3_072, num_dst, pairings, updates)


def test_the_work_of_a_layer() -> None:
    cog, hunyuan = MODELS["cogvideox-5b"], MODELS["hunyuanvideo"]
    assert cog.layer_mac == pytest.approx(3.95e12, rel=0.002)
    assert hunyuan.layer_mac == pytest.approx(3.57e13, rel=0.002)
    assert cog.layer_cycles == pytest.approx(25.4e6, rel=0.002)
    assert hunyuan.layer_cycles == pytest.approx(229.4e6, rel=0.002)
    assert (cog.num_dst, hunyuan.num_dst) == (4_388, 16_830)
    assert (cog.reduce, hunyuan.reduce) == (6_669, 25_582)


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_of_its_own(name: str) -> None:
    model = MODELS[name]
    job = job_of(name)
    statistics = counts(model.video_tokens, model.num_dst)
    found = layer_match(job, statistics, MEMORY, "own", model)
    assert found.cost.total == job_cost(job, statistics, MEMORY).total
    assert found.available == 38 * model.layer_cycles
    assert found.margin == found.available / found.cost.total.cycles
    assert found.hidden == (found.margin >= 1)
    beats = found.cost.total.beats
    assert found.bytes_a_cycle == pytest.approx(beats * 16 / found.cost.total.cycles)
    assert found.bandwidth_share == pytest.approx(found.bytes_a_cycle / 50.9, rel=0.001)
    assert 0.9 < found.utilisation < 1


def job_of(name: str, engine: EngineShape = PAPER) -> JobShape:
    model = MODELS[name]
    return JobShape(engine, model.video_tokens, model.width, model.num_dst, model.reduce)


def test_a_shared_layer() -> None:
    """An engine's part is near a 38th, and of that part's dst stream it counts a 38th."""
    model, job = MODELS["cogvideox-5b"], job_of("cogvideox-5b")
    statistics = counts(model.video_tokens, model.num_dst)
    own = layer_match(job, statistics, MEMORY, "own", model)
    shared = layer_match(job, statistics, MEMORY, "shared", model)
    assert shared.available == model.layer_cycles
    for stage, cost in own.cost.stages.items():
        assert shared.cost.stages[stage].cycles == pytest.approx(cost.cycles / 38, rel=0.25)
    of_pairs = shared.cost.stages["pair"]
    assert of_pairs.useful == pytest.approx(own.cost.stages["pair"].useful / 38, rel=0.01)
    own_rows = (13_162 + 13_162 * 9 // 10 + 13_162 // 10) * job.row_beats / 38
    stream = own.cost.stages["pair"].read / 38 - own_rows
    assert of_pairs.read == pytest.approx(own_rows + stream / 38, rel=0.1)
    assert shared.utilisation < own.utilisation


@pytest.mark.parametrize("arrangement", ["own", "shared"])
def test_fewer_engines_have_less_time_and_a_larger_share_each(arrangement: Arrangement) -> None:
    model, job = MODELS["cogvideox-5b"], job_of("cogvideox-5b")
    statistics = counts(model.video_tokens, model.num_dst)
    each, ten = (
        layer_match(job, statistics, MEMORY, arrangement, model, engines) for engines in (38, 10)
    )
    own = arrangement == "own"
    assert ten.available == (10 if own else 1) * model.layer_cycles
    assert each.margin is not None
    assert ten.margin == pytest.approx(each.margin * 10 / 38, rel=1e-9 if own else 0.1)
    traffic = ten.bytes_a_cycle / each.bytes_a_cycle
    assert ten.bandwidth_share == pytest.approx(each.bandwidth_share * traffic * 10 / 38)
    for stage, cost in each.cost.stages.items():
        times = 1 if own else 3.8
        assert ten.cost.stages[stage].cycles == pytest.approx(cost.cycles * times, rel=0.2)


def test_one_engine_shares_with_nobody() -> None:
    model, job = MODELS["cogvideox-5b"], job_of("cogvideox-5b")
    statistics = counts(model.video_tokens, model.num_dst)
    own, shared = (
        layer_match(job, statistics, MEMORY, arrangement, model, 1)
        for arrangement in ("own", "shared")
    )
    assert own.cost.total == shared.cost.total
    assert own.margin == shared.margin


@pytest.mark.parametrize("engines", [0, 39])
def test_engines_that_cannot_be(engines: int) -> None:
    with pytest.raises(ValueError, match=rf"engines is {engines}; it must lie in 1\.\.38\."):
        layer_match(job_of("cogvideox-5b"), counts(17_550, 4_388), MEMORY, "own", None, engines)


def test_without_a_model_there_is_no_time() -> None:
    found = layer_match(job_of("cogvideox-5b"), counts(17_550, 4_388), MEMORY, "own")
    assert (found.available, found.margin, found.hidden) == (None, None, None)


def test_an_engine_that_is_too_slow() -> None:
    slow = replace(PAPER, dst_lanes=1, src_lanes=2)
    found = layer_match(
        job_of("cogvideox-5b", slow), counts(17_550, 4_388), MEMORY, "own",
        MODELS["cogvideox-5b"],
    )  # fmt: skip
    assert found.hidden is False
    assert found.margin is not None
    assert found.margin < 1
