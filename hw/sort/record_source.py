"""Record source: what a list of records to sort is made of."""

from amaranth.lib import enum


class RecordSource(enum.Enum):
    """Which region is read, and what becomes a record.

    WORDS: the records that lie in RECORDS. GROUPS: the `hw.words.member_record` of each token, and
    PAIRS: the `hw.words.pair_record` of each src, both of what lies in ENTRIES.
    """

    WORDS = 0
    GROUPS = 1
    PAIRS = 2
