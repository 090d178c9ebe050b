"""Run config -> frozen dataclasses; every check of user input."""
