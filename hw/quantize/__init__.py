"""The quantise stage: 16-bit tokens in memory become 4-bit tokens and channel weights."""
