"""What rules are made of: updates, codecs, seeds, preconditions. Arrays in and out, no Flower."""
