"""The pages of figures are those that follow from what commands wrote into docs/."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from software.study.figures.findings import the
from software.study.figures.pages import PAGES, ROOT, SECTIONS, measurements, refreshed
from software.study.figures.text import load


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for path in (ROOT / "docs").glob("*.json"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_pages_say_what_the_commands_measured() -> None:
    docs = ROOT / "docs"
    refresh = "run `python -m software.study.figures`"
    assert measurements(docs) == (docs / "measurements.md").read_text(), refresh
    for page in PAGES:
        text = (ROOT / page).read_text()
        assert refreshed(text, docs) == text, refresh


def test_each_section_has_its_place() -> None:
    pages = "".join((ROOT / page).read_text() for page in PAGES)
    assert [pages.count(f"<!-- figures: {name} -->") for name in SECTIONS] == [1] * len(SECTIONS)


def mutants(docs: Path, found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The lines of the page's part about such mutants."""
    (docs / "mutants.json").write_text(json.dumps(found))
    return refreshed("<!-- figures: mutants -->\n<!-- end -->", docs).splitlines()


def test_a_table_of_mutants(docs: Path) -> None:
    kinds = ("made", "stillborn", "same", "killed by proof", "killed by test", "equivalent",
             "survived", "not run")  # fmt: skip
    unit = dict(zip(kinds, range(8), strict=True)) | {"seconds": 9}
    lines = mutants(docs, {"first": unit, "second": unit})
    assert lines[3] == f"| unit | {' | '.join(kinds)} |"
    assert lines[5] == "| `first` | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |"
    assert lines[7] == "| all | 0 | 2 | 4 | 6 | 8 | 10 | 12 | 14 |"


def test_how_long_a_mutant_takes(docs: Path) -> None:
    unit = {"made": 2000, "not run": 1990, "seconds": 36.0}
    untried = {"made": 2000, "not run": 2000, "seconds": 0}
    assert mutants(docs, {"a": unit, "b": untried})[1] == (
        "Of 4,000 mutants 10 were tried, which took 3.6 s of a core each."
    )
    for none in ({}, {"b": untried}):
        assert mutants(docs, none)[1] == "None was tried."


def test_a_section_of_readme_follows_its_file(docs: Path) -> None:
    video = json.loads((docs / "video.json").read_text())
    (docs / "video.json").write_text(json.dumps(video | {"psnr": 12.34}))
    text = refreshed("a\n<!-- figures: sheet -->\nold\n<!-- end -->\nb\n", docs)
    assert "12.3 dB" in text
    assert text.startswith("a\n<!-- figures: sheet -->\n")
    assert text.endswith("\n<!-- end -->\nb\n")
    assert "old" not in text


def test_measurements_hold_every_method_and_sentence_of_the_evaluation(docs: Path) -> None:
    found = load(docs)["evaluation"]
    found["methods"][3]["ratios"][0]["psnr"] = 12.34
    (docs / "evaluation.json").write_text(json.dumps(found))
    page = measurements(docs)
    for row in found["methods"]:
        cells = " | ".join(f"{point['psnr']:.1f}" for point in row["ratios"])
        assert f"| {row['name']} | {cells} |" in page
    unwrapped = " ".join(page.split())
    for sentence in (*found["headline"]["multiples"], found["headline"]["dominance"]):
        assert sentence in unwrapped


def test_lines_are_no_longer_than_a_page_is_wide(docs: Path) -> None:
    prose = [line for line in measurements(docs).splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 100
    assert not [line for line in prose if line != line.rstrip()]


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a page marks figures 'tempo'; it must be one of sheet"):
        refreshed("<!-- figures: tempo -->\n<!-- end -->", tmp_path)


def test_a_find_is_the_only_one_of_its_values() -> None:
    entries = [{"name": "a", "at": 1}, {"name": "b", "at": 1}]
    assert the(entries, name="b") is entries[1]
    for wanted in ({"name": "c"}, {"at": 1}):
        with pytest.raises(ValueError, match="unpack"):
            the(entries, **wanted)
