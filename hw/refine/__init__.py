"""The refining stage: the first dst list, convergence, the dst update, what is reported."""
