"""The local engine: all workers of a run in one process, on a CPU or a GPU."""
