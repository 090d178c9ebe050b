"""Between Flower and the rules: RobustStrategy, the round loop, the optimizer, the transport."""
