"""What is known of one round: the one list of the fields of `rounds.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from time import perf_counter
from typing import Any

from signfed.strategies.core.drop_reason import DropReason


@dataclass
class RoundRecord:
    """One round of a run, filled in as the round goes on; `to_json` is its line in `rounds.jsonl`.

    Fields that are empty are left out of the line, except for the counts and bytes.

    Attributes
    ----------
    round : int
        1-based number.
    nodes : int
        Nodes that were asked; in the local engine, workers.
    received : int
        Workers whose row is valid.
    dropped : dict of DropReason to list of int
        Every other worker of the round, ascending, under the reason why it has no valid row.
    uplink_bytes, downlink_bytes : int
        Of all replies, and of all requests.
    healed : int
        Nodes that lacked the model and were sent what they lacked.
    late : int
        Replies of the last round that came in this one; they are not used.
    skipped : str or None
        Why the model stayed as it was.
    fallback : str or None
        Why the rule was not asked, and a median or vote took its place.
    broken_assumption : str or None
        Why those whom the rule rejected cannot be the Byzantine workers that were assumed.
    test_accuracy, test_loss : float or None
        Of the model after the round, in rounds that are evaluated; accuracy in 0..1.
    validation_accuracy : float or None
        On training samples that no worker holds, where some were kept for this.
    backdoor_success : float or None
        Share of test images of other classes that with a backdoor's trigger are taken for its
        target, in 0..1; in rounds that are evaluated, under such an attack.
    minority_accuracy, others_accuracy : float or None
        On the test samples of the class that one worker alone holds, and on all others, in 0..1;
        in rounds that are evaluated, under such a partition.
    byzantine_accepted, honest_rejected : float or None
        False negative and false positive rate of the rule, in 0..1, where somebody is Byzantine.
    wrong_signs : float or None
        Share of coordinates in which the direction has not the honest workers' sign.
    claims : dict of str to dict
        By "train" and "evaluate": what nodes say of themselves, the median of each metric; nobody
        checks it and nothing depends on it. In our own app the accuracy on the nodes' own data of
        the model that the round began with, where the server has no test set.
    server_metrics : dict
        In another's app, what its `evaluate_fn` returned besides `accuracy` and `loss`.
    findings : dict
        What the rule found out, by the rule's own names, which become fields of the line.
    seconds : dict of str to float
        By phase: "clients", "server", "evaluate".

    Examples
    --------
    >>> record = RoundRecord(3, nodes=2, received=14)
    >>> record.drop({7: DropReason.NO_REPLY})
    >>> record.to_json()["dropped"], record.losses
    ({'no-reply': [7]}, '1 no-reply')
    """

    round: int
    nodes: int = 0
    received: int = 0
    dropped: dict[DropReason, list[int]] = field(default_factory=dict)
    uplink_bytes: int = 0
    downlink_bytes: int = 0
    healed: int = 0
    late: int = 0
    skipped: str | None = None
    fallback: str | None = None
    broken_assumption: str | None = None
    test_accuracy: float | None = None
    test_loss: float | None = None
    validation_accuracy: float | None = None
    backdoor_success: float | None = None
    minority_accuracy: float | None = None
    others_accuracy: float | None = None
    byzantine_accepted: float | None = None
    honest_rejected: float | None = None
    wrong_signs: float | None = None
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    server_metrics: dict[str, Any] = field(default_factory=dict)
    findings: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def drop(self, workers: Mapping[int, DropReason]) -> None:
        """Count each of these workers under its reason."""
        for worker, reason in workers.items():
            self.dropped.setdefault(reason, []).append(worker)
        self.dropped = {reason: sorted(self.dropped[reason]) for reason in sorted(self.dropped)}

    @property
    def losses(self) -> str:
        """The dropped workers in a few words: "2 no-reply, 1 non-finite", or "none"."""
        return ", ".join(f"{len(ids)} {reason}" for reason, ids in self.dropped.items()) or "none"

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """Set the fields of these names: accuracy, loss, or what a detection was worth.

        Parameters
        ----------
        scores : mapping
            By name, of `SCORES`.

        Raises
        ------
        ValueError
            For a name that is no such field.
        """
        for name, value in scores.items():
            if name not in SCORES:
                raise ValueError(f"expected scores among {', '.join(SCORES)}; got {name!r}")
            setattr(self, name, value)

    def add_findings(self, owner: str, findings: object) -> None:
        """Keep what a rule found out.

        Parameters
        ----------
        owner : str
            Name of the rule, for the error.
        findings : object
            JSON values by name.

        Raises
        ------
        ValueError
            When it is no dictionary of JSON values, or has the name of a field.
        """
        expected = f"{owner}.diagnostics: expected a dictionary of JSON values by name"
        if not isinstance(findings, dict):
            raise ValueError(f"{expected}; got {type(findings).__name__}")
        if taken := sorted(FIELDS & set(findings)):
            raise ValueError(f"{expected}; {taken[0]!r} is a field of every round's record")
        try:
            json.dumps(findings)
        except TypeError as error:
            raise ValueError(f"{expected}; {error}") from None
        self.findings = findings

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the wall-clock seconds of the block to a phase."""
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + perf_counter() - started

    def to_json(self) -> dict[str, Any]:
        """Return the line of `rounds.jsonl` as a dictionary; the findings are fields of it."""
        own = {name: getattr(self, name) for name in (f.name for f in fields(self))}
        findings = own.pop("findings")
        own["dropped"] = {str(reason): ids for reason, ids in self.dropped.items()}
        kept = {name: value for name, value in own.items() if name in ALWAYS or value}
        kept |= {name: own[name] for name in SCORES if own[name] is not None}
        return kept | findings


FIELDS = frozenset(f.name for f in fields(RoundRecord))
ALWAYS = ("round", "nodes", "received", "dropped", "uplink_bytes", "downlink_bytes", "seconds")
# Of rounds where somebody is Byzantine; their means are in the summary.
DETECTION = ("byzantine_accepted", "honest_rejected", "wrong_signs")
SCORES = (
    "test_accuracy", "test_loss", "validation_accuracy", "backdoor_success",
    "minority_accuracy", "others_accuracy", *DETECTION,
)  # fmt: skip
