"""What files point to exists, in this repository."""

import re

import pytest

from tests.tree import ROOT, texts

DEFINITION = ROOT / "docs" / "definition.md"
CITED = re.compile(r"docs/definition\.md, ('[^']+'(?:(?:, | and |, and )'[^']+')*)")
"""``docs/definition.md, 'Init' and 'Convergence'``."""
PAGES = re.compile(r"\bdocs/[\w./-]+\.(?:md|json|png|py|svg|ipynb|v|c)\b")
_FOLDERS = "(?:orbis|hw|tb|golden|formal|software|synth|system|tests)"
CODE = re.compile(rf"\b{_FOLDERS}/[\w./-]+\.(?:py|md|npy|hpp|cpp|vlt|j2)\b")
NAMES = re.compile(rf"[`(]({_FOLDERS}(?:\.[a-zA-Z]\w*)+)[`)]")
"""Modules and what they define, in backquotes or brackets."""
PLACEHOLDER = re.compile(r"\b(NAME|ROOM)\b|test_NAME")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"design(?:'s)? sections?\b|\bdesign\.md\b|\bshared/", re.IGNORECASE)

TEXTS = dict(texts())


def test_every_cited_heading_of_the_definition_exists() -> None:
    headings = set(re.findall(r"^#+ (.+)$", DEFINITION.read_text(), re.MULTILINE))
    cited = {
        (name, heading)
        for name, text in TEXTS.items()
        for found in CITED.findall(text)
        for heading in re.findall(r"'([^']+)'", found)
    }
    assert len(cited) > 20
    for name, heading in cited:
        assert heading in headings, f"{name} cites {heading!r}"
    assert headings - {"Definition", "Names", "Limits"} <= {heading for _, heading in cited}


@pytest.mark.parametrize("pattern", [PAGES, CODE])
def test_every_file_that_is_named_exists(pattern: re.Pattern[str]) -> None:
    for name, text in TEXTS.items():
        if name == "CHANGELOG.md":  # it names what was
            continue
        for found in pattern.findall(text):
            if PLACEHOLDER.search(found):
                continue
            assert (ROOT / found).exists(), f"{name} names {found}"


def is_defined(name: str) -> bool:
    """Whether a dotted name is a module of the project, or what one defines."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        source = path.with_suffix(".py") if not path.is_dir() else path / "__init__.py"
        if source.is_file():
            rest = parts[length:]
            return all(re.search(rf"\b{each}\b", source.read_text()) for each in rest)
    return False


def test_every_dotted_name_is_defined() -> None:
    cited = {
        (name, found)
        for name, text in TEXTS.items()
        if name != "CHANGELOG.md"
        for found in NAMES.findall(text)
    }
    assert len(cited) > 20
    for name, found in cited:
        assert is_defined(found), f"{name} names {found}"


def test_every_link_leads_somewhere() -> None:
    for name, text in TEXTS.items():
        if name.endswith(".md"):
            for target in LINK.findall(text):
                path = (ROOT / name).parent / target
                assert "://" in target or path.exists(), f"{name} links to {target}"


def test_nothing_points_to_a_page_outside_the_repository() -> None:
    for name, text in TEXTS.items():
        if name != "tests/test_citations.py":
            assert not ELSEWHERE.search(text), f"{name}: {ELSEWHERE.search(text)}"
