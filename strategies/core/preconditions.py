"""What rules need of (n, f): n updates, f of which may be Byzantine."""

from __future__ import annotations


def at_least(rule: str, n: int, f: int, *, per_liar: int, more: int) -> str | None:
    """None when n >= per_liar f + more, else what would do.

    >>> at_least("krum", 8, 3, per_liar=2, more=3)
    'krum needs n >= 2f+3: got n=8 updates, f=3; expected f <= 2, or at least 9 updates'
    """
    if f < 0:
        return f"{rule}: n_byzantine: expected at least 0, got {f}"
    needed = per_liar * f + more
    if n >= needed:
        return None
    largest = (n - more) // per_liar
    ways = [f"f <= {largest}"] if largest >= 0 else []
    ways.append(f"at least {needed} updates")
    return (
        f"{rule} needs n >= {per_liar}f+{more}: got n={n} updates, f={f}; "
        f"expected {', or '.join(ways)}"
    )


def majority_honest(rule: str, n: int, f: int) -> str | None:
    """None when n > 2f, else what would do."""
    return at_least(rule, n, f, per_liar=2, more=1)
