"""Proofs of hw.quantize."""
