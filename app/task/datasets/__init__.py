"""Data sets as arrays in memory, a file a family."""
