"""Rounds on one GPU beside what they could cost: `python -m benchmarks.gpu`."""
