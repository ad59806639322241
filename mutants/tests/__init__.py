"""Tests of the mutants, and a sample of them."""
