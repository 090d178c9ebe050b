"""What the server does with the updates it receives: one rule per file, each a Flower Strategy."""
