"""``python -m software.study.readme``: refresh README.md."""

from software.library.files import write_text
from software.study.readme import ROOT, render

if __name__ == "__main__":
    path = ROOT / "README.md"
    write_text(path, render(path.read_text(), ROOT / "docs"))
