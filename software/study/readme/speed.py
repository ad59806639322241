"""How fast things are: what ``make bench`` found, and a layer on the simulated engine."""

from pathlib import Path

from software.study.readme.text import bullet, load, table, wrapped


def bench(docs: Path) -> str:
    """Engine cycles a second, by simulator."""
    rates = load(docs, "bench")["cycles_per_second"]
    header = [f"{name} ({entry['lanes']} lanes)" for name, entry in rates.items()]
    simulators = list(next(iter(rates.values()))["rates"])
    rows = []
    for simulator in simulators:
        cells = []
        for entry in rates.values():
            rate, least = entry["rates"][simulator], entry["rates"]["Amaranth"]
            cells.append(f"{rate:,.0f} ({rate / least:,.0f})")
        rows.append((simulator, *cells))
    return table(("cycles a second (times Amaranth's)", *header), rows)


def pairing(docs: Path) -> str:
    """The golden matcher's pairing against a bare matmul."""
    jobs = load(docs, "bench")["pairing"]
    header = ("N", "D", "M", "tokens", "matmul, s", "pairing, s", "ratio",
              "peak memory, GB (with the matmul's)", "median of")  # fmt: skip
    rows = [
        (
            *(f"{job[name]:,}" for name in ("tokens", "channels", "num_dst")), job["case"],
            *(f"{job[name]:.2f}" for name in ("matmul_seconds", "pairing_seconds", "ratio")),
            f"{job['peak_bytes'] / 1e9:.2f} ({job['peak_bytes_with_matmul'] / 1e9:.2f})",
            str(job["repeats"]),
        )
        for job in jobs
    ]  # fmt: skip
    return table(header, rows)


def attention(docs: Path) -> str:
    """A reduced step's attention, a step's parts, and a whole run."""
    found = load(docs, "bench")["attention"]
    rows = [
        (f"{each['num_tokens']:,}", f"{each['heads']} x {each['channels']}",
         f"{each['full']:.3f}", f"{each['reduced']:.3f}", f"{each['ratio']:.3f}",
         f"{each['times_bound']:.2f}")
        for each in found["sdpa"]
    ]  # fmt: skip
    measured = table(("N", "heads", "full, s", "reduced, s", "ratio", "times the bound"), rows)
    steps, loop = found["steps"], found["loop"]
    sizes = bullet(
        f"A transformer of {steps['layers']} layers as wide as CogVideoX-2B's ({steps['width']:,}),"
        f" {steps['num_tokens']:,} video tokens: a full step {steps['full']:.2f} s, a reduced one"
        f" {steps['reduced']:.2f} s, matching {steps['matching']:.2f} s. Four steps are"
        f" {steps['speed_up_of_four_steps']:.2f} times as fast,"
        f" {steps['speed_up_with_matching_hidden']:.2f} times if matching were hidden."
    )
    whole = bullet(
        f"The shipped model's {loop['steps']} steps, {loop['reduced_steps']} of them reduced:"
        f" {loop['unreduced']:.2f} s become {loop['reduced']:.2f} s, of which matching is"
        f" {loop['matching']:.2f} s: {loop['speed_up']:.2f} times the unreduced run's speed,"
        f" {loop['speed_up_with_matching_hidden']:.2f} times if matching were hidden."
    )
    return f"{measured}\n\n{sizes}\n{whole}"


def layer(docs: Path) -> str:
    """One layer's match on the simulated engine."""
    found = load(docs, "layer")
    stages = ", ".join(f"{cycles:,} {stage}" for stage, cycles in found["stage_cycles"].items())
    return wrapped(
        f"{found['tokens']} tokens of {found['channels']} channels, M = {found['num_dst']},"
        f" {found['iterations']} pairings: {found['cycles']:,} cycles ({stages}),"
        f" {found['seconds']:.2f} s of simulation once the simulator is built."
    )
