"""A job that was killed goes on from the state that was kept of it."""

import resource
from pathlib import Path

import pytest

from software.library.backends import checkpoint, rtl
from software.library.backends.golden import GoldenBackend
from software.library.backends.rtl import RtlBackend
from software.tests.library.test_backends import TINY, Case, assert_equal, edge_case, random_case

_SLICE, _EVERY = 500, 1500
CASE = edge_case("no room left")


def engine(kept: Path | None, slices: int | None = None, seed: int = 5) -> RtlBackend:
    """An engine on a memory that stalls; after so many slices its job is broken off."""
    done = 0

    def progress(cycles: int, pairings: int) -> None:
        nonlocal done
        done += 1
        if done == slices:
            raise KeyboardInterrupt

    return RtlBackend(TINY, stall=0.3, seed=seed, checkpoints=kept, progress=progress)


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtl, "_SLICE", _SLICE)
    monkeypatch.setattr(checkpoint, "_EVERY", _EVERY)


def broken_off(case: Case, kept: Path, slices: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        case.run(engine(kept, slices))


@pytest.mark.parametrize("slices", [5, 9, 14, 20, 27])
def test_a_job_goes_on(slices: int, tmp_path: Path) -> None:
    """To the same arrays in the same cycles, stalls included."""
    expected = CASE.run(engine(None))
    broken_off(CASE, tmp_path, slices)
    (state,) = tmp_path.iterdir()
    assert_equal(CASE.run(GoldenBackend()), expected)
    found = CASE.run(engine(tmp_path))
    assert_equal(found, expected)
    for figure in ("cycles", "stage_cycles", "busy_cycles", "beats"):
        assert getattr(found, figure) == getattr(expected, figure)
    assert not state.exists()


def test_it_goes_on_and_does_not_start_again(tmp_path: Path) -> None:
    slices = 20
    broken_off(CASE, tmp_path, slices)
    seen: list[int] = []
    resumed = RtlBackend(
        TINY, stall=0.3, seed=5, checkpoints=tmp_path,
        progress=lambda cycles, pairings: seen.append(cycles),
    )  # fmt: skip
    CASE.run(resumed)
    assert seen[0] > (slices - 1) * _SLICE - _EVERY


@pytest.mark.parametrize("other", ["tokens", "sizes", "memory"])
def test_another_job_does_not_go_on_from_it(other: str, tmp_path: Path) -> None:
    broken_off(CASE, tmp_path, 20)
    (state,) = tmp_path.iterdir()
    case = random_case(4) if other == "tokens" else CASE
    if other == "sizes":
        case = Case(CASE.tokens, CASE.num_dst, CASE.reduce - 1)
    backend = engine(tmp_path, seed=6 if other == "memory" else 5)
    assert_equal(case.run(backend), case.run(GoldenBackend()))
    assert [*tmp_path.iterdir()] == [state]


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing cannot be written to"):
        CASE.run(engine(tmp_path / "missing"))


def test_a_state_that_the_disk_does_not_take_is_an_error(tmp_path: Path) -> None:
    backend = engine(tmp_path)
    backend.prepare()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*\.state'$"):
            CASE.run(backend)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*tmp_path.iterdir()]
