"""A Flower of one's own for one run: its processes, from their start to their end."""
