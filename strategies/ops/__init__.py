"""The loops that must be fast: packed signs, order statistics, Gram matrices, clustering."""
