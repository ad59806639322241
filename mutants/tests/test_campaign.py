"""What becomes of mutants that are known: each kind once, and a sample that has to be found."""

import json
import random
from pathlib import Path

import pytest

from mutants.campaign import BaselineError, Campaign
from mutants.source import Mutant
from mutants.store import Result, Store, mutant_key, unit_key
from mutants.trial import Limits, Verdict
from mutants.units import ROOT, Unit, units

FORK = "hw/blocks/stream_fork.py"
BLIND = Unit(FORK, ("mutants/tests/blind.py",), None)
"""The stream fork, with a test that looks at nothing and no proof."""
SAMPLE, SEED = 4, 1
PROVEN = ("hw/blocks/stream_register.py", "hw/blocks/beat_packer.py")
"""What the sample is drawn from: proofs of these tell of every mutant, in a second."""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("mutants"))


def the(unit: Unit, before: str, after: str) -> Mutant:
    """The first mutant that makes one text another."""
    return next(each for each in unit.mutants() if (each.before, each.after) == (before, after))


def verdict(campaign: Campaign, unit: Unit, mutant: Mutant) -> Verdict:
    return campaign.verdict(unit, mutant, unit_key(unit))


@pytest.mark.slow
def test_a_blind_test_lets_a_mutant_survive(campaign: Campaign) -> None:
    found = verdict(campaign, BLIND, the(BLIND, "~taken[taker]", "(taken[taker])"))
    assert found.kind == "survived"
    assert "stream_fork_blind: an assertion fails" in found.detail


def test_a_proof_kills_it(campaign: Campaign) -> None:
    proven = Unit(FORK, BLIND.tests, "formal.blocks.stream_fork")
    found = verdict(campaign, proven, the(proven, "~taken[taker]", "(taken[taker])"))
    assert (found.kind, found.detail[:26]) == ("killed by proof", "formal.blocks.stream_fork:")


def test_what_cannot_be_made_is_no_mutant(campaign: Campaign) -> None:
    found = verdict(campaign, BLIND, the(BLIND, "self._takers", "(self._takers) - 1"))
    assert found.kind == "stillborn"


def test_what_makes_the_same_design_is_no_mutant(campaign: Campaign) -> None:
    mutant = the(BLIND, "0", "1")
    same = Mutant(**{**vars(mutant), "source": (ROOT / FORK).read_text() + "\n"})
    assert verdict(campaign, BLIND, same).kind == "same"


@pytest.mark.slow
def test_what_does_the_same_is_equivalent(campaign: Campaign) -> None:
    """``settled`` has one more bit of `taken`, which was there already."""
    mutant = the(BLIND, "~taken[taker]", "(taken[taker])")
    text = (ROOT / FORK).read_text()
    other = text.replace("settled = taken | Cat", "settled = taken | taken | Cat")
    assert other != text
    found = verdict(campaign, BLIND, Mutant(**{**vars(mutant), "source": other}))
    assert (found.kind, found.detail) == ("equivalent", "stream_fork_blind")


def test_a_step_that_hangs_is_ended(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "_limits", Limits(more=2))
    mutant = the(BLIND, "0", "1")
    text = (ROOT / FORK).read_text()
    waits = text.replace("m = Module()", "m = Module()\n        __import__('time').sleep(600)")
    found = verdict(campaign, BLIND, Mutant(**{**vars(mutant), "source": waits}))
    assert (found.kind, found.detail[:32]) == ("stillborn", "hung in its step 'making', limit")


@pytest.mark.parametrize(
    ("step", "how", "kind"),
    [
        ("test", "hung", "killed by test"),
        ("test", "crashed", "survived"),
        ("making", "crashed", "survived"),
        ("equivalence", "hung", "survived"),
    ],
)
def test_what_hangs_or_crashes(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, step: str, how: str, kind: str
) -> None:
    monkeypatch.setattr(campaign, "_process", lambda *_, **__: ("step", step, 12.4, how))
    found = campaign._try(BLIND, Path(), Path())
    assert found == Verdict(kind, f"{how} in its step {step!r}, limit 12 s", 12.4)


def test_tests_that_fail_as_it_is_are_an_error(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(campaign, "_process", lambda *_, **__: ("done", False))
    with pytest.raises(BaselineError, match=rf"The tests of {FORK} make no design as it is: see "):
        campaign._baseline(BLIND, tmp_path, "of another unit")
    facts = {"items": {}, "digests": {}, "sizes": {}, "making_seconds": 1.0}
    (tmp_path / "baseline.json").write_text(json.dumps(facts))
    with pytest.raises(BaselineError, match=rf"The tests of {FORK} do not pass as it is: see "):
        campaign._time(BLIND, tmp_path, tmp_path)


def test_a_sample_is_found(campaign: Campaign) -> None:
    pairs = [
        (unit, mutant)
        for unit in units() if unit.file in PROVEN
        for mutant in unit.mutants()
    ]  # fmt: skip
    drawn = random.Random(SEED).sample(pairs, SAMPLE)
    results: list[Result | None] = []
    campaign.run(drawn, tell=lambda _, result: results.append(result))
    assert len(results) == SAMPLE
    left = [each for each in results if each is None or each.verdict.kind == "survived"]
    assert not left
    assert any(each and each.verdict.kind.startswith("killed") for each in results)


def test_what_is_known_is_not_tried_again(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    mutant = BLIND.mutants()[0]
    known = Result(mutant_key(mutant, unit_key(BLIND)), mutant.id, Verdict("survived", "before"))
    campaign.store.put(known)
    told = []
    campaign.run([(BLIND, mutant)], tell=lambda _, result: told.append(result))
    assert told == [known]


def test_nothing_starts_after_its_time(tmp_path: Path) -> None:
    told = []
    campaign = Campaign(tmp_path)
    campaign.run([(BLIND, BLIND.mutants()[0])], 0.0, lambda _, result: told.append(result))
    assert told == [None]


def test_the_store_keeps_and_passes_over_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "results.jsonl"
    results = [Result("a", "m", Verdict("survived", "x", 1.5)), Result("b", "n", Verdict("same"))]
    for result in results:
        Store(path).put(result)
    with path.open("a") as file:
        file.write('{"key": "c", "mut')
    store = Store(path)
    assert [store.get(key) for key in "abc"] == [*results, None]


def test_a_key_follows_from_source_and_tests() -> None:
    own = next(unit for unit in units() if unit.file == FORK)
    one, other = BLIND.mutants()[:2]
    keys = {mutant_key(mutant, unit_key(unit)) for mutant in (one, other) for unit in (own, BLIND)}
    assert len(keys) == 4
