"""What the server says of rounds in which a rule's verdict contradicts what it assumes."""

from __future__ import annotations

from collections.abc import Collection
from logging import getLogger

from signfed.strategies.core.rule import Rule
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import FederationError, WhenBroken
from signfed.strategies.server.record import RoundRecord

log = getLogger("signfed")


class Doubts:
    """Note in the records, and log once, that a rule's verdict contradicts the assumed f.

    Parameters
    ----------
    assumed : int or None
        f; None assumes nothing.
    when_broken : {"warn", "stop"}
        Whether the run goes on.
    """

    def __init__(self, assumed: int | None, when_broken: WhenBroken) -> None:
        self._assumed, self._when_broken = assumed, when_broken
        self._warned = False

    def note(self, rule: Rule, updates: Updates, record: RoundRecord) -> None:
        """Look at a round.

        Parameters
        ----------
        rule : Rule
            Which found out whom it accepts.
        updates : Updates
            Of the round.
        record : RoundRecord
            Of the round, with the findings.

        Raises
        ------
        FederationError
            With "stop".
        """
        accepted = record.findings.get("accepted") if rule.judges else None
        if accepted is None or self._assumed is None:
            return
        present = set(accepted).intersection(updates.ids.tolist())
        reason = broken_assumption(present, record.received, self._assumed)
        record.broken_assumption = reason
        if reason and self._when_broken == "stop":
            raise FederationError(f"round {record.round}: broken assumption: {reason}")
        if reason and not self._warned:
            self._warned = True
            log.warning("round %d: broken assumption: %s", record.round, reason)


def broken_assumption(accepted: Collection[int], received: int, assumed: int) -> str | None:
    """Say why the rejected workers cannot all be Byzantine as assumed; None when they can.

    Parameters
    ----------
    accepted : collection of int
        The workers whose update the rule accepted.
    received : int
        Workers with a valid update.
    assumed : int
        f, the most that are assumed to be Byzantine.

    Returns
    -------
    str or None

    Examples
    --------
    >>> broken_assumption([0, 1, 2], received=5, assumed=2)
    >>> broken_assumption([0, 1, 2], received=5, assumed=1)
    '2 of 5 workers rejected, at most 1 assumed to be Byzantine'
    >>> broken_assumption([0, 1], received=5, assumed=3)
    '2 of 5 workers accepted, no majority'
    """
    if 2 * len(accepted) <= received:
        return f"{len(accepted)} of {received} workers accepted, no majority"
    if (rejected := received - len(accepted)) > assumed:
        return (
            f"{rejected} of {received} workers rejected, at most {assumed} assumed to be Byzantine"
        )
    return None
