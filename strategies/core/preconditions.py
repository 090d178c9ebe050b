"""What rules need of (n, f): n updates, of which f may be Byzantine."""

from __future__ import annotations


def at_least(rule: str, n: int, f: int, *, per_byzantine: int, more: int) -> str | None:
    """Tell what is wrong unless n >= per_byzantine f + more.

    Parameters
    ----------
    rule : str
        Name of the rule, for the text.
    n, f : int
        Number of updates, and how many of them may be Byzantine.
    per_byzantine, more : int
        At least 1.

    Returns
    -------
    str or None
        What the rule needs, what it got and both ways to mend it; None if the rule can serve.

    Examples
    --------
    >>> at_least("krum", 8, 3, per_byzantine=2, more=3)
    'krum needs n >= 2f+3: got n=8 updates, f=3; expected f <= 2, or at least 9 updates'
    """
    if f < 0:
        return f"{rule}: n_byzantine: expected at least 0, got {f}"
    needed = per_byzantine * f + more
    if n >= needed:
        return None
    largest = (n - more) // per_byzantine
    ways = [f"f <= {largest}"] if largest >= 0 else []
    ways.append(f"at least {needed} updates")
    return (
        f"{rule} needs n >= {per_byzantine}f+{more}: got n={n} updates, f={f}; "
        f"expected {', or '.join(ways)}"
    )


def majority_honest(rule: str, n: int, f: int) -> str | None:
    """Tell what is wrong unless n > 2f.

    Parameters
    ----------
    rule, n, f
        As in `at_least`.
    """
    return at_least(rule, n, f, per_byzantine=2, more=1)
