"""Sweeps, and the papers' figures and tables as sweeps with claims."""
