"""A Flower app: digits, PyTorch, batch norm, local epochs."""
