"""What will not work on this machine, and what mends it; a federation has doctors of its own."""
