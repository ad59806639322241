"""``python -m software.study.figures``: refresh README.md and docs/measurements.md."""

from software.library.files import write_text
from software.study.figures.pages import ROOT, measurements, readme

if __name__ == "__main__":
    docs = ROOT / "docs"
    write_text(docs / "measurements.md", measurements(docs))
    path = ROOT / "README.md"
    write_text(path, readme(path.read_text(), docs))
