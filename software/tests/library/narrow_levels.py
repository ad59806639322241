"""A match with levels of another width, in a process of its own: ``... narrow_levels BITS``.

The engine's width of a level is one number of hw/config.py; this changes that number in the text
before anything imports it, and holds the engine to the golden model. That one knows 4 bits only,
so the tokens are quantised here, in Python's integers.
"""

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path

import torch

LINES = {
    1: (("max_channels=64,", "max_channels=128,"), ("max_channels=256,", "max_channels=512,"),
        ("channel_lanes=4,", "channel_lanes=8,")),
    2: (),
}  # fmt: skip
"""What else the presets need: a row has whole beats, a chunk whole bytes."""


def narrow(bits: int) -> None:
    """Make hw.config anew with levels of so many bits."""
    import hw

    path = Path(hw.__file__).parent / "config.py"
    text = path.read_text()
    for before, after in (("LEVEL_BITS = 4\n", f"LEVEL_BITS = {bits}\n"), *LINES[bits]):
        assert before in text, f"hw/config.py does not hold {before!r}"
        text = text.replace(before, after)
    spec = importlib.util.spec_from_file_location("hw.config", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hw.config"] = module
    exec(compile(text, str(path), "exec"), module.__dict__)


def main(bits: int) -> None:
    """Match twice and compare."""
    narrow(bits)
    from golden.datm import match
    from golden.options import MatchOptions
    from golden.qe import Quantized, channel_statistics, channel_weights
    from hw.config import LEVEL_BITS, PRESETS
    from software.library.backends.rtl import RtlBackend

    assert bits == LEVEL_BITS
    generator = torch.Generator().manual_seed(bits)
    centres = torch.randn(6, 29, generator=generator).repeat(7, 1)
    tokens = (centres + 0.5 * torch.randn(42, 29, generator=generator)).half()
    stats = channel_statistics(tokens)
    largest = (1 << bits) - 1
    levels = [
        [
            int(Fraction(largest * (int(value * 2**24) - low), span) + Fraction(1, 2))
            for value, low, span in zip(row, stats.low.tolist(), stats.span.tolist(), strict=True)
        ]
        for row in tokens.double().tolist()
    ]
    quantized = Quantized(
        q=torch.tensor(levels, dtype=torch.uint8),
        weight=channel_weights(stats.span),
        step=torch.zeros(29),
        order=torch.arange(29),
    )
    assert quantized.q.amax() == largest
    options = MatchOptions(seed=5)
    expected = match(quantized, 5, 17, options)
    backend = RtlBackend(PRESETS["tiny"], label=f"levels of {bits} bits")
    found = backend.match(tokens, 5, 17, options)
    assert expected.iterations > 1
    for name in ("src", "dst", "loss", "medoids"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert found.loss_history == expected.loss_history


if __name__ == "__main__":
    main(int(sys.argv[1]))
