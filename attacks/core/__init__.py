"""What attacks share: the view of the round, and rows computed from it."""
