"""The cycle model against the simulated engine: ``python -m software.study.bench.cycles``.

Engines of several shapes match several sets of tokens, incrementally and with every pair computed.
Their matches must be golden's, bytes must be the model's to the byte, and cycles near it. The model
was made with some engines and tokens in view; others it had not seen are told apart (held out).
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from hw.config import EngineConfig
from software.library.backends.rtl import RtlBackend
from software.library.files import check_outputs, write_json
from software.library.terminal import print_line, print_table
from software.study.bench import cycle_cases as cases
from software.study.engine_check import beside_model, check_equal, modelled
from system.engine_shape import EngineShape
from system.models import num_dst_of, reduce_of

_MOST_PAIRINGS = 6


@dataclass(frozen=True)
class Engines:
    """An engine in both ways, by whether it computes every pair."""

    config: EngineConfig
    backends: dict[bool, RtlBackend]

    @classmethod
    def of(cls, config: EngineConfig, label: str) -> "Engines":
        """Nothing is built before the first match."""
        backends = {
            every: RtlBackend(config, label=label, every_pair=every) for every in (False, True)
        }
        return cls(config, backends)

    def quantized(self, tokens: Tensor) -> Quantized:
        """The tokens as this engine quantises them."""
        config = self.config
        return quantize(
            tokens, token_format="bf16" if config.token_format == "bf16" else "fp16",
            scale_group=config.scale_group, weight_bits=config.weight_bits,
        )  # fmt: skip

    def close(self) -> None:
        """End the simulations."""
        for backend in self.backends.values():
            backend.close()


def compare(engines: Engines, tokens: Tensor, num_dst: int, *, every_pair: bool) -> dict[str, Any]:
    """Match tokens on the engine, and model it.

    Raises:
        AssertionError: the engine's match is not golden's.
    """
    config, backend = engines.config, engines.backends[every_pair]
    quantized, options = engines.quantized(tokens), MatchOptions(max_iterations=_MOST_PAIRINGS)
    num_tokens, channels = tokens.shape
    reduce = reduce_of(num_tokens)
    found = backend.match(tokens, num_dst, reduce, options)
    check_equal(found, match(quantized, num_dst, reduce, options))
    engine = EngineShape.from_dict(config.as_dict())
    cost = modelled(engine, quantized, num_dst, reduce, options, every_pair=every_pair)
    return {
        "every_pair": every_pair,
        "tokens": num_tokens,
        "channels": channels,
        "num_dst": num_dst,
        **beside_model(found, cost),
    }


def compare_all(
    configs: Mapping[str, EngineConfig], tokens: Mapping[str, Callable[[], Tensor]]
) -> list[dict[str, Any]]:
    """Every set of tokens on every engine, both ways."""
    rows = []
    for name, config in configs.items():
        engines = Engines.of(config, name)
        for kind, make in tokens.items():
            values = make()
            num_dst = 20 if kind == "few clusters" else num_dst_of(len(values))
            for every_pair in (False, True):
                row = compare(engines, values, num_dst, every_pair=every_pair)
                rows.append({"engine": name, "data": kind, **row})
        engines.close()
    return rows


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Median and worst error of the cycles, and whether all bytes are exact."""
    errors = [abs(row["error"]) for row in rows]
    return {
        "combinations": len(rows),
        "median_error": statistics.median(errors),
        "worst_error": max(errors),
        "bytes_exact": all(row["beats"] == row["beats_modelled"] for row in rows),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table of them."""
    stages = list(rows[0]["stages"])
    print_table(
        ("engine", "tokens", "every pair", "cycles", "error", *stages, "bytes"),
        (
            (
                row["engine"], row["data"], "yes" if row["every_pair"] else "",
                f"{row['cycles']:,}", f"{row['error']:+.2%}",
                *(_error(row["stages"][stage]) for stage in stages),
                "exact" if row["beats"] == row["beats_modelled"] else "WRONG",
            )
            for row in rows
        ),
    )  # fmt: skip
    summary = summarise(rows)
    print_line(
        f"{summary['combinations']} combinations: cycles within {summary['median_error']:.2%}"
        f" (median) and {summary['worst_error']:.2%} (worst)"
    )


def _error(stage: dict[str, int]) -> str:
    return f"{stage['modelled'] / stage['cycles'] - 1:+.1%}" if stage["cycles"] else ""


def main(arguments: list[str] | None = None) -> None:
    """Compare, print, and put it into the file."""
    parser = argparse.ArgumentParser(
        prog="python -m software.study.bench.cycles", description=__doc__
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="put what was found into OUT")
    asked = parser.parse_args(arguments)
    if asked.json:
        check_outputs([asked.json])
    sets = {
        "seen": (cases.SEEN_ENGINES, cases.SEEN_TOKENS),
        "held_out": (cases.HELD_OUT_ENGINES, cases.HELD_OUT_TOKENS),
    }
    found = {}
    for name, (configs, tokens) in sets.items():
        rows = compare_all(configs, tokens)
        print_line(f"{name.replace('_', ' ').capitalize()}:")
        show(rows)
        sizes = {engine: config.as_dict() for engine, config in configs.items()}
        found[name] = {**summarise(rows), "rows": rows, "configs": sizes}
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
