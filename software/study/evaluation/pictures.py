"""What the pictures share: a figure without pyplot's state, and its PNG."""

import base64
import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 120


def figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, laid out so that nothing overlaps."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def to_png(drawn: Figure) -> bytes:
    """The picture as PNG."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, dpi=DPI, format="png")
    return buffer.getvalue()


def to_uri(png: bytes) -> str:
    """The picture as something that a page can hold."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
