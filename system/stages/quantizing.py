"""Quantisation: the statistics of the channels, their scales, and the quantised rows."""

from system.cost import Cost
from system.engine_shape import BANK_BITS, CHANNEL_RECORD_BEATS, JobShape
from system.memory import Memory
from system.stages.sorting import sort_words

_DERIVE = 4
"""Cycles before the first stage, in which a job's sizes settle."""
_STATISTICS, _ROWS = 9, 10
"""Cycles to begin and to end each pass over the tokens."""
_WEIGHT_LOAD = 62
"""Cycles to begin and to end the weights, the largest span's way into their unit among them."""
_RATIO_DIGITS = 16
"""Significant bits of a span, of which weights are made."""


def quantize(job: JobShape, memory: Memory) -> Cost:
    """The whole stage.

    Cycles: two passes over the token values, of L channels a cycle or a beat a cycle, whichever is
    slower; where scales are shared the second one also gives back each row a bank word a cycle,
    after `_row_latency`. Between them every channel's span (`_span_cycles` each; in BF16 after a
    walk for the largest exponent), and a serial computation of each weight. Where scales are shared
    the channels' records are stored, sorted and fetched; else channels are walked over twice.

    Reads: all token values twice. Writes: the quantised rows. Where scales are shared also 16 beats
    of channel records for each beat of a row, written and read, and what sorting them takes.
    """
    engine, channels = job.engine, job.padded_channels
    words = channels // engine.quantize_lanes
    values = job.tokens * job.value_row_beats
    burst = engine.burst_beats
    a_beat = max(1.0, (memory.latency + burst) / (memory.outstanding * burst))
    statistics = max(job.tokens * words, values * a_beat) + memory.answer + _STATISTICS
    scales = Cost(_span_cycles(job) * channels)
    if engine.token_format == "bf16":
        scales += Cost(channels + 4)
    if engine.shared_scale:
        scales += _shared_scales(job, memory)
    else:
        scales += Cost(channels * max(_weight_cycles(job) + 1, _span_cycles(job)) + _WEIGHT_LOAD)
    row = words + (_row_latency(job) - 1 + channels * 4 // BANK_BITS if engine.shared_scale else 0)
    rows = max(job.tokens * row, values * a_beat) + memory.answer + memory.landing + _ROWS
    return Cost(_DERIVE + statistics + rows, 2 * values, job.tokens * job.row_beats) + scales


def _shared_scales(job: JobShape, memory: Memory) -> Cost:
    engine, channels = job.engine, job.padded_channels
    records = job.row_beats * CHANNEL_RECORD_BEATS
    groups = channels // engine.scale_group
    each = max(_weight_cycles(job) + 1, engine.scale_group + 1)
    moved = Cost(memory.answer + memory.landing + _WEIGHT_LOAD, records, records)
    return moved + Cost(groups * each) + sort_words(job, memory, channels)


def _difference(job: JobShape) -> int:
    """Cycles of an exact difference of two values."""
    return 2 if job.engine.token_format == "fp16" else 3


def _span_cycles(job: JobShape) -> int:
    """Cycles of a channel's span: nothing waits for the next."""
    return 3 + _difference(job)


def _weight_cycles(job: JobShape) -> int:
    """Cycles of a weight: the bits of a square, and three for each doubling."""
    return 2 + _RATIO_DIGITS + 3 * (job.engine.weight_bits + 1)


def _row_latency(job: JobShape) -> int:
    """Cycles from a row's last word to its first levels in the order of positions."""
    quantizer = _difference(job) + 4
    return (quantizer | 1) + 4
