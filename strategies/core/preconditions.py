"""What rules need of (n, f): n updates, of which f may come from Byzantine workers."""

from __future__ import annotations


def at_least(rule: str, n: int, f: int, *, times: int, plus: int) -> str | None:
    """Say why n updates are too few for a rule that needs n >= times f + plus.

    Parameters
    ----------
    rule : str
        Name of the rule, for the message.
    n, f : int
        Number of updates, and how many of them may be Byzantine.
    times, plus : int
        The precondition.

    Returns
    -------
    str or None
        What was expected and what was found; None when the precondition holds.

    Examples
    --------
    >>> at_least("krum", 8, 3, times=2, plus=3)
    'krum needs n >= 2f+3: got n=8 updates, f=3; expected f <= 2, or at least 9 updates'
    """
    if f < 0:
        return f"{rule}: n_byzantine: expected at least 0, got {f}"
    needed = times * f + plus
    if n >= needed:
        return None
    largest = (n - plus) // times
    ways = [f"f <= {largest}"] if largest >= 0 else []
    ways.append(f"at least {needed} updates")
    return (
        f"{rule} needs n >= {times}f+{plus}: got n={n} updates, f={f}; "
        f"expected {', or '.join(ways)}"
    )


def majority_honest(rule: str, n: int, f: int) -> str | None:
    """Say why n updates are too few for a rule that needs n > 2f; None when they are enough."""
    return at_least(rule, n, f, times=2, plus=1)
