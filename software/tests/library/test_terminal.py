"""What is printed is told as it is, whatever stands in it."""

import io
import os

import pytest
from rich.console import Console

from software.library import terminal

ODD = ["run[step=25]/p.npz", "out[/x].npz", "[bold]x[/bold]", ":smile:", "[red]", "a  b", "\\[x]"]


@pytest.mark.parametrize("text", ODD)
def test_nothing_is_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    terminal.print_summary({"output": text, text: 1})
    terminal.print_table((text, "n"), [(text, 1)])
    terminal.print_line(text)
    width = max(len(text), len("output"))
    assert capsys.readouterr().out.splitlines() == [
        f"{'output':<{width}}  {text}", f"{text:<{width}}  1", f"{text}  n", f"{text}  1", text,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_progress_is_no_markup_either(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    shown = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(terminal, "console", shown)
    with terminal.progress_bar(text, 2) as advance:
        advance(text)
        advance(f"Mapped to {text}", 1, 2)
    assert isinstance(shown.file, io.StringIO)
    assert f"Mapped to {text}" in shown.file.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\t", r"\t"), ("caf\u00e9", "caf\u00e9"),
        ("\u202e", r"\u202e"), (os.fsdecode(b"\xff"), r"\udcff"), ("\U0001f600", "\U0001f600"),
        ("a  b ", "a  b "),
    ],
)  # fmt: skip
def test_a_value_is_one_line_of_visible_characters(
    capsys: pytest.CaptureFixture[str], text: str, shown: str
) -> None:
    assert terminal.printable(text) == shown
    terminal.print_summary({"path": text})
    assert capsys.readouterr().out == f"path  {shown}\n"


def test_a_table_is_as_wide_as_it_must_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    terminal.print_table(("name", "n"), [("x" * 500, 1234567), ("y", 2)])
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "n"]
    assert first == "x" * 500 + "  1,234,567"
    assert second.split() == ["y", "2"]
