"""The marked sections of README are those that follow from what commands wrote into docs/."""

import json
import shutil
from pathlib import Path

import pytest

from software.study.readme import ROOT, render


def test_readme_says_what_the_commands_measured() -> None:
    readme = (ROOT / "README.md").read_text()
    assert render(readme, ROOT / "docs") == readme, "run `python -m software.study.readme`"


def test_a_section_follows_its_file(tmp_path: Path) -> None:
    for name in ("video.json", "evaluation.json"):
        shutil.copy(ROOT / "docs" / name, tmp_path)
    video = json.loads((tmp_path / "video.json").read_text())
    (tmp_path / "video.json").write_text(json.dumps(video | {"psnr": 12.34}))
    text = render("a\n<!-- figures: sheet -->\nold\n<!-- end -->\nb\n", tmp_path)
    assert "12.3 dB" in text
    assert text.startswith("a\n<!-- figures: sheet -->\n")
    assert text.endswith("\n<!-- end -->\nb\n")
    assert "old" not in text

    evaluation = render("<!-- figures: evaluation -->\n<!-- end -->\n", tmp_path)
    found = json.loads((tmp_path / "evaluation.json").read_text())
    for row in found["methods"]:
        assert f"| {row['name']} | {row['ratios'][0]['psnr']:.1f} |" in evaluation
    rows = [line for line in evaluation.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(found["methods"])
    unwrapped = " ".join(evaluation.split())
    for sentence in (*found["headline"]["multiples"], found["headline"]["dominance"]):
        assert sentence in unwrapped


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"README marks figures 'tempo'; it must be one of sheet"):
        render("<!-- figures: tempo -->\n<!-- end -->", tmp_path)
