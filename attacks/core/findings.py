"""What an aggregation rule found out about the workers, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Findings:
    """What an aggregation rule found out about the workers in one round.

    Built in one place, `from_record`, and read by attacks that know the server and by the metrics
    of detection.

    Attributes
    ----------
    crossover : mapping of int to float
        Worker -> estimated probability that one of its bits is wrong; empty where the rule makes
        no such estimate.
    accepted : frozenset of int or None
        The workers that the rule accepted; None where it does not say.
    weights : mapping of int to float
        Worker -> its share of the direction, or its weight in the vote, which may be below 0; empty
        where the rule has no weights.
    record : mapping
        All that the rule reported, as in `rounds.jsonl`; for a user's own rule and attack.

    Examples
    --------
    >>> found = Findings.from_record({"crossover": {"3": 0.4}, "accepted": [3, 5]})
    >>> found.crossover, sorted(found.accepted)
    ({3: 0.4}, [3, 5])
    """

    crossover: Mapping[int, float] = field(default_factory=dict)
    accepted: frozenset[int] | None = None
    weights: Mapping[int, float] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Findings:
        """Read the findings out of a round's record.

        Parameters
        ----------
        record : mapping
            A rule's diagnostics, or a line of `rounds.jsonl`, where worker ids are text.

        Returns
        -------
        Findings
        """
        accepted = record.get("accepted")
        return cls(
            crossover=_by_worker(record.get("crossover", {})),
            accepted=None if accepted is None else frozenset(map(int, accepted)),
            weights=_by_worker(record.get("weights", {})),
            record=dict(record),
        )


def _by_worker(values: Mapping[Any, float]) -> dict[int, float]:
    return {int(worker): value for worker, value in values.items()}
