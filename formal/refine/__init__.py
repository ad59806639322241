"""Proofs of hw.refine."""
