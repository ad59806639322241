"""The pages of figures are those that follow from what commands wrote into docs/."""

import json
import shutil
from pathlib import Path

import pytest

from software.study.figures.findings import the
from software.study.figures.pages import PAGES, ROOT, measurements, refreshed
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
