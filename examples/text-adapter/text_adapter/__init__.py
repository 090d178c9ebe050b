"""A Flower app: a small transformer for text; nodes train and send an adapter only."""
