"""Proofs of hw.bus."""
