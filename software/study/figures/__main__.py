"""``python -m software.study.figures``: refresh the pages of figures."""

from software.library.files import write_text
from software.study.figures.pages import PAGES, ROOT, measurements, refreshed

if __name__ == "__main__":
    docs = ROOT / "docs"
    write_text(docs / "measurements.md", measurements(docs))
    for page in PAGES:
        write_text(ROOT / page, refreshed((ROOT / page).read_text(), docs))
