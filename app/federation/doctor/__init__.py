"""A preflight check: one function a check, each finding with the command that mends it."""
