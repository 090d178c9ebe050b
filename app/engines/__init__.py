"""One run by either engine: local, in this process, or Flower."""
