"""One exact pairing of the golden matcher, and the bare multiplication that it cannot do without.

A pairing of N tokens of D channels with M slots needs the inner products of (N - M) x D with D x M
values. ``measure`` times it against exactly that in float32, by turns, on as many threads. Each
size and case has a process of its own (``python -m software.study.bench.pairing``), so that its
peak memory is its own.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from golden.datm import other_tokens, pair
from golden.dau import Points
from golden.qe import Quantized, quantize
from golden.sampler import sample
from software.library.terminal import print_table

_SEED = 1


@dataclass(frozen=True)
class Job:
    """What is paired, how often.

    Attributes:
        tokens: N.
        channels: D.
        num_dst: M.
        case: a name of ``CASES``.
        repeats: pairings, and multiplications, that are timed.
    """

    tokens: int
    channels: int
    num_dst: int
    case: str
    repeats: int


@dataclass(frozen=True)
class Measured:
    """What a job took.

    Attributes:
        threads: of both.
        matmul_seconds: median time of the multiplication, into memory that is there already.
        pairing_seconds: median time of golden.datm.pair.
        ratio: the latter over the former.
        peak_bytes: most memory of the process up to the end of a pairing: the interpreter, the
            tokens, and quantising them included.
        peak_bytes_with_matmul: the same at the end, with the operands of the multiplication and its
            (N - M) x M result.
    """

    threads: int
    matmul_seconds: float
    pairing_seconds: float
    ratio: float
    peak_bytes: int
    peak_bytes_with_matmul: int


def log_normal(tokens: int, channels: int) -> Quantized:
    """Normal values, each channel with a log-normal scale."""
    generator = torch.Generator().manual_seed(_SEED)
    scale = torch.randn(channels, generator=generator).exp()
    values = torch.empty(tokens, channels, dtype=torch.float16)
    for rows in torch.split(values, 1024):
        rows.copy_(torch.randn(rows.shape, generator=generator) * scale)
    return quantize(values)


def extreme(tokens: int, channels: int) -> Quantized:
    """Levels 0 and 15 only, every weight 255: no tokens of 8-bit weights have larger distances."""
    generator = torch.Generator().manual_seed(_SEED)
    q = torch.randint(2, (tokens, channels), generator=generator, dtype=torch.uint8).mul_(15)
    return Quantized(q, torch.full((channels,), 255), torch.ones(channels), torch.arange(channels))


CASES: dict[str, Callable[[int, int], Quantized]] = {"log-normal": log_normal, "extreme": extreme}

_SIZES = ((17_550, 3_072, 4_388, 5), (67_320, 3_072, 16_830, 1))
JOBS = tuple(Job(n, d, m, case, repeats) for n, d, m, repeats in _SIZES for case in CASES)
"""M = N / 4 of the two models that the engine is sized for."""


def measure(job: Job) -> Measured:
    """Time a job in this process."""
    quantized = CASES[job.case](job.tokens, job.channels)
    points, dst = Points(quantized), sample(job.tokens, job.num_dst, _SEED)
    pair(points, dst)
    peak = peak_bytes()

    left = points.tokens[other_tokens(job.tokens, dst)].float()
    right = points.tokens[dst].float()
    product = torch.ones(len(left), len(right))
    matmul, pairing = [], []
    for _ in range(job.repeats):
        matmul.append(_seconds(lambda: torch.mm(left, right.T, out=product)))
        pairing.append(_seconds(lambda: pair(points, dst)))
    return Measured(
        threads=torch.get_num_threads(),
        matmul_seconds=median(matmul),
        pairing_seconds=median(pairing),
        ratio=median(pairing) / median(matmul),
        peak_bytes=peak,
        peak_bytes_with_matmul=peak_bytes(),
    )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def peak_bytes() -> int:
    """Most memory that this process has held; getrusage would count its parent's as well."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def measure_apart(job: Job) -> Measured:
    """Time a job in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, json.dumps(asdict(job))],
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(**json.loads(done.stdout))


def measure_all(jobs: Iterable[Job] = JOBS) -> list[dict[str, Any]]:
    """Fields of each job and of what it took, each job in a process of its own."""
    return [asdict(job) | asdict(measure_apart(job)) for job in jobs]


def show(found: list[dict[str, Any]]) -> None:
    """Print the table of what ``measure_all`` found."""
    print_table(
        ("N", "D", "M", "case", "matmul, s", "pairing, s", "ratio", "peak, GB", "with matmul, GB"),
        (
            (
                entry["tokens"], entry["channels"], entry["num_dst"], entry["case"],
                f"{entry['matmul_seconds']:.2f}", f"{entry['pairing_seconds']:.2f}",
                f"{entry['ratio']:.2f}", f"{entry['peak_bytes'] / 1e9:.2f}",
                f"{entry['peak_bytes_with_matmul'] / 1e9:.2f}",
            )
            for entry in found
        ),
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Job(**json.loads(sys.argv[1]))))))
