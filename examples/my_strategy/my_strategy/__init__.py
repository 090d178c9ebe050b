"""A Flower app with a rule and an attack of its own."""
