"""Each family's reduced steps against the definition, and its full ones against the model's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from software.library.config import Guide, OrbisConfig
from software.library.families import FAMILIES, family_of
from software.library.matchers import MatchRequest
from software.library.reduction import apply_orbis
from software.tests.library.naive_reduction import Lists, NaiveRestore, NaiveSdpa
from software.tests.library.tiny import Tiny
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_runs import NAMES

CLOSE: dict[str, Any] = {"atol": 2e-5, "rtol": 1e-4}
ONE_FULL: dict[str, Any] = {"warmup_steps": 1, "rc_steps": 3}


@dataclass
class Found:
    src: Tensor
    dst: Tensor


def chosen(tokens: int, *seed: int) -> Lists:
    """Pairs that look random, but depend on ``seed`` alone."""
    generator = torch.Generator().manual_seed(sum(s * 97**i for i, s in enumerate(seed)))
    order = torch.randperm(tokens, generator=generator).tolist()
    third = tokens // 3
    picks = torch.randint(third, (third,), generator=generator)
    return order[:third], [order[third + int(pick)] for pick in picks]


class Chosen:
    """A matcher that returns ``chosen`` pairs for the layer and the place in the batch."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.calls: dict[int, int] = {}

    def __call__(self, shown: Any, request: MatchRequest) -> Any:
        sample = self.calls.get(request.layer, 0)
        self.calls[request.layer] = sample + 1
        frames, rows, columns = request.grid
        tokens = frames * rows * columns

        def found(*parts: int) -> Found:
            lists = chosen(tokens, request.layer, sample, *parts)
            return Found(*map(torch.tensor, lists))

        if self.kind != "heads":
            assert shown.shape[0] == tokens
            return found()
        query, value = shown
        assert query.shape == value.shape == (2, tokens, query.shape[2])

        def heads(part: int) -> Found:
            each = [found(head, part) for head in range(2)]
            return Found(*(torch.stack([getattr(f, n) for f in each]) for n in ("src", "dst")))

        return heads(0), heads(1)


def pairs_of(tiny: Tiny, kind: str) -> Callable[[int, int, int, str], Lists]:
    def pairs(layer: int, sample: int, head: int, part: str) -> Lists:
        if kind == "heads":
            return chosen(tiny.num_tokens, layer, sample, head, int(part == "kv"))
        if kind == "q" and part == "kv":
            return [], []
        return chosen(tiny.num_tokens, layer, sample)

    return pairs


def config_for(kind: str, **options: Any) -> OrbisConfig:
    if kind == "heads":
        options |= {"matcher": "asymrnr", "guide": "query_value", "ratio": 0.3}
    return OrbisConfig(targets="q" if kind == "q" else "qkv", **ONE_FULL, **options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("shared", {"restore": "copy"}),
        ("shared", {"restore": "copy", "proportional": False}),
        ("shared", {"restore": "residual"}),
        ("q", {"restore": "copy"}),
        ("q", {}),
        ("q", {"residual_bits": 2, "residual_gain": 0.5}),
        ("q", {"restore": "cache"}),
        ("heads", {"restore": "copy"}),
        ("heads", {"restore": "copy", "proportional": False}),
        ("heads", {"restore": "residual"}),
    ],
)
@pytest.mark.parametrize("name", TINY)
def test_reduced_steps_follow_the_definition_and_full_ones_are_bit_identical(
    name: str, kind: str, options: dict[str, Any]
) -> None:
    tiny = TINY[name]
    model, plain = tiny.model(), tiny.model()
    inputs, later = tiny.inputs(2, 1), tiny.inputs(2, 2)
    config = config_for(kind, **options)
    unreduced = run(plain, later, 400)
    layers = list(family_of(plain).attentions(plain).values())
    first = NaiveSdpa(tiny, None, config)
    first.watch(layers)
    full, handles = results_of(layers)
    with apply_orbis(model, config, matcher=Chosen(kind)):
        with first:
            assert torch.equal(run(plain, inputs), run(model, inputs))
        reduced = run(model, later, 400)
    assert torch.equal(run(model, later, 400), unreduced)
    for handle in handles:
        handle.remove()

    pairs = pairs_of(tiny, kind)
    naive = NaiveSdpa(tiny, pairs, config, first.results() if kind == "heads" else ())
    naive.watch(layers)
    if kind != "heads":
        restore_in(layers, full, config, pairs)
    with naive:
        expected = run(plain, later, 400)
    torch.testing.assert_close(reduced, expected, **CLOSE)
    assert (expected - unreduced).abs().max() > 20 * CLOSE["atol"]


def results_of(layers: list[nn.Module]) -> tuple[list[Tensor], list[Any]]:
    """The list that gets each layer's result for the video, and the hooks that fill it."""
    found: list[Tensor] = []

    def note(_: nn.Module, args: Any, result: Any) -> None:
        found.append((result[0] if isinstance(result, tuple) else result).clone())

    return found, [layer.register_forward_hook(note) for layer in layers]


def restore_in(
    layers: list[nn.Module],
    full: list[Tensor],
    config: OrbisConfig,
    pairs: Callable[[int, int, int, str], Lists],
) -> None:
    """Let each layer give its src what the definition says, from its results of the full step."""

    def hook(number: int) -> Callable[..., None]:
        def write(_: nn.Module, args: Any, result: Any) -> None:
            video = result[0] if isinstance(result, tuple) else result
            for sample, rows in enumerate(video):
                lists = pairs(number, sample, 0, "q")
                NaiveRestore(config).write(rows, full[number][sample], *lists)

        return write

    for number, layer in enumerate(layers):
        layer.register_forward_hook(hook(number))


@pytest.mark.parametrize("name", TINY)
def test_a_broadcast_gives_the_full_steps_results_again(name: str) -> None:
    tiny = TINY[name]
    model = tiny.model()
    layers = list(family_of(model).attentions(model).values())
    full, _ = results_of(layers)
    with apply_orbis(model, OrbisConfig(ratio=1, restore="cache", **ONE_FULL)) as applied:
        for number in range(3):
            run(model, tiny.inputs(2, number), 500 - 50 * number)
        usage = applied.usage
        assert (usage.matchings, usage.reduction_rc) == (0, 1)
        assert usage.result_bytes <= usage.kept_bytes < 1.5 * usage.result_bytes
    for number, first in enumerate(full[: len(layers)]):
        assert torch.equal(full[len(layers) + number], first)
        assert torch.equal(full[2 * len(layers) + number], first)


@pytest.mark.parametrize("name", TINY)
def test_the_guide_is_what_it_says(name: str) -> None:
    tiny = TINY[name]
    model, inputs = tiny.model(), tiny.inputs(2, 1)
    layers = list(family_of(model).attentions(model).values())
    entered: list[Tensor] = []
    for attn in layers:
        attn.register_forward_pre_hook(
            lambda _, args, kwargs: entered.append(
                args[0] if args else kwargs["hidden_states"]
            ), with_kwargs=True,
        )  # fmt: skip
    naive = unreduced_sdpa(tiny, model, inputs)
    mixed = [out.transpose(1, 2).flatten(2) for out in naive.results()]
    guides: tuple[tuple[Guide, list[Tensor]], ...] = (("output", mixed), ("input", entered))
    for guide, expected in guides:
        seen: list[tuple[int, Tensor]] = []

        def keep(shown: Tensor, request: MatchRequest, seen: Any = seen) -> Found:
            assert request.grid == tiny.grid
            seen.append((request.layer, shown))
            return Found(*(torch.empty(0, dtype=torch.int64) for _ in range(2)))

        config = OrbisConfig(guide=guide, **ONE_FULL)
        with apply_orbis(model, config, matcher=keep):
            run(model, inputs)
        assert [layer for layer, _ in seen] == [0, 0, 1, 1]
        for number, (layer, tokens) in enumerate(seen):
            wanted = expected[layer][number % 2]
            torch.testing.assert_close(tokens, wanted, atol=1e-5, rtol=1e-5)


def unreduced_sdpa(tiny: Tiny, model: nn.Module, inputs: Any) -> NaiveSdpa:
    """The naive attention after one call of a model, nothing dropped: it has each layer's calls."""
    naive = NaiveSdpa(tiny, lambda *_: ([], []), OrbisConfig())
    naive.watch(list(family_of(model).attentions(model).values()))
    with naive:
        run(model, inputs)
    return naive


@pytest.mark.parametrize("name", TINY)
def test_q_and_v_are_those_of_the_models_own_attention(name: str) -> None:
    """Distances within Q and V decide what AsymRnR pairs: they must be SDPA's own."""
    tiny = TINY[name]
    model, inputs = tiny.model(), tiny.inputs(1, 1)
    seen: list[tuple[Tensor, Tensor]] = []

    def show(shown: Any, request: MatchRequest) -> Any:
        seen.append(shown)
        nothing = Found(*(torch.empty(2, 0, dtype=torch.int64) for _ in range(2)))
        return nothing, nothing

    config = config_for("heads")
    with apply_orbis(model, config, matcher=show):
        run(model, inputs)
    naive = unreduced_sdpa(tiny, model, inputs)
    for shown, (_, query, value, _) in zip(seen, naive.calls, strict=True):
        for rows, joint in zip(shown, (query, value), strict=True):
            torch.testing.assert_close(rows, naive.video(joint)[0], atol=1e-5, rtol=1e-5)


def test_every_family_is_tried_here() -> None:
    assert {family_of(tiny.model()) for tiny in TINY.values()} == set(FAMILIES)
    assert [family_of(TINY[name].model()) for name in NAMES] == list(FAMILIES)
