"""One node of a federation: what it answers, and the process that keeps what it needs warm."""
