"""Names that are taken, and words that no language of the handover takes."""

import pytest
from pygments.lexers.hdl import SystemVerilogLexer
from systemrdl.parser.SystemRDLLexer import SystemRDLLexer

from hw.emit.identifiers import SYSTEMRDL, SYSTEMVERILOG, check_identifier


def test_the_keywords_are_those_of_the_languages() -> None:
    """As lexers of others have them."""
    listed = [
        set(rule[0].words)
        for rules in SystemVerilogLexer.tokens.values() for rule in rules
        if isinstance(rule, tuple) and hasattr(rule[0], "words")
    ]  # fmt: skip
    words = {word for each in listed if each & {"always_ff", "wand", "dist"} for word in each}
    assert len(words) > 240
    assert words | {"class", "endclass", "extends"} == SYSTEMVERILOG
    literals = {literal.strip("'") for literal in SystemRDLLexer.literalNames}
    assert {word for word in literals if word.isidentifier()} == SYSTEMRDL


@pytest.mark.parametrize("name", ["orbis_tiny", "_", "Module", "a1", "x" * 200])
def test_a_name_is_taken(name: str) -> None:
    check_identifier("name", name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "letters, digits and underscores"), ("1a", "begin with no digit"),
        ("a-b", "letters"), ("a$b", "letters"), ("a b", "letters"), ("a\n", "letters"),
        ("é", "letters"), ("a.b", "letters"), ("module", "keyword of SystemVerilog"),
        ("logic", "keyword of SystemVerilog"), ("regfile", "keyword of SystemRDL"),
    ],
)  # fmt: skip
def test_another_is_refused(name: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule) as refused:
        check_identifier("name", name)
    assert str(refused.value).startswith(f"name is {name!r}")
