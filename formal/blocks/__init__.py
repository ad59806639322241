"""Proofs of hw.blocks."""
