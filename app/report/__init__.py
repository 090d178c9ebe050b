"""Run folder -> what people read."""
