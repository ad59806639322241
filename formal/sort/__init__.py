"""Proofs of hw.sort."""
