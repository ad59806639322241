"""Proofs about units of hw, for all inputs and for ever; and that each proof can fail."""
