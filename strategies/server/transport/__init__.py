"""Between Flower and the rules: messages, nodes, and the checks on everything that comes in."""
