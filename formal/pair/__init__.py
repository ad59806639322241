"""Proofs of hw.pair."""
