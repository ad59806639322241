"""What a reduction keeps in memory from step to step, worked out from sizes alone.

Of one sample and layer, as software.library.reduction keeps it. Guidance has two samples.
"""

import math

from software.library.config import OrbisConfig

VALUE_BYTES = 2
"""Of a result's channel, as published models run: 16 bits."""
_INDEX_BYTES = 8
Grid = tuple[int, int, int]


def result_bytes(tokens: int, width: int) -> int:
    """What an attention layer's result takes: what attention caching keeps."""
    return tokens * width * VALUE_BYTES


def index_bytes(config: OrbisConfig, grid: Grid, heads: int) -> int:
    """What the index lists of a layer take.

    They are src and dst, kept rows and how many each stands for, and each token's row.
    """
    tokens, (_, dropped) = math.prod(grid), config.counts(grid)
    if not dropped:
        return 0
    a_list = 2 * dropped + 2 * (tokens - dropped) + tokens
    return _lists(config, heads) * _INDEX_BYTES * a_list


def pair_bytes(config: OrbisConfig, grid: Grid, heads: int) -> int:
    """What src and dst of a layer alone would take, in 32 bits."""
    return _lists(config, heads) * 2 * 4 * config.counts(grid)[1]


def _lists(config: OrbisConfig, heads: int) -> int:
    """Lists of pairs of a layer; AsymRnR has one a head, of Q and of K and V."""
    if config.keeps_results:
        return 0
    if config.matcher != "asymrnr":
        return 1
    return heads * (2 if config.targets == "qkv" else 1)


def kept_bytes(
    config: OrbisConfig, grid: Grid, width: int, *, heads: int = 1, text_tokens: int = 0
) -> int:
    """What is kept of a layer, index lists included.

    Args:
        config: the reduction.
        grid: the video tokens.
        width: of a token, over all heads.
        heads: attention heads.
        text_tokens: that take part in the layer.
    """
    _, dropped = config.counts(grid)
    if config.keeps_results:
        return result_bytes(dropped + text_tokens, width)
    indices = index_bytes(config, grid, heads)
    if not dropped or config.restore == "copy":
        return indices
    if config.restore == "cache":
        return indices + result_bytes(dropped, width)
    code = config.residual_options.coded_bytes
    if config.matcher == "asymrnr":
        return indices + heads * code(dropped, width // heads)
    return indices + code(dropped, width)
