"""Whether a run has reached what was asked for, or nothing improves any more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from signfed.app.config.stopping import StopWhen


class Stopping:
    """Follow the evaluations of a run, until one of them ends it.

    Parameters
    ----------
    when : StopWhen
        What ends it.
    lines : iterable of mapping
        Lines of `rounds.jsonl` of the rounds that are done.

    Attributes
    ----------
    round : int or None
        The round that ends the run.
    reason : str
        Why; empty while nothing does.

    Examples
    --------
    >>> stopping = Stopping(StopWhen(stale=2))
    >>> [stopping.after({"round": t, "test_loss": x}) for t, x in enumerate([3.0, 2.0, 2.5, 2.0])]
    [False, False, False, True]
    >>> stopping.round, stopping.reason
    (3, 'nothing improved in 2 evaluations')
    """

    def __init__(self, when: StopWhen, lines: Iterable[Mapping[str, Any]] = ()) -> None:
        self._when, self._stale = when, 0
        self._accuracy, self._loss = -math.inf, math.inf
        self.round: int | None = None
        self.reason = ""
        for line in lines:
            self.after(line)

    def after(self, line: Mapping[str, Any]) -> bool:
        """Tell whether the run ends with the round of this line, or has ended before.

        Parameters
        ----------
        line : mapping
            Of `rounds.jsonl`; None stands for a number that is not finite.

        Returns
        -------
        bool
        """
        if "test_loss" not in line or self.reason:
            return bool(self.reason)
        accuracy, loss = line.get("test_accuracy"), line["test_loss"]
        better = False
        if accuracy is not None and accuracy > self._accuracy:
            self._accuracy, better = accuracy, True
        if loss is not None and loss < self._loss:
            self._loss, better = loss, True
        self._stale = 0 if better else self._stale + 1
        enough, stale = self._when.accuracy, self._when.stale
        if enough is not None and self._accuracy >= enough:
            self.reason = f"test accuracy {self._accuracy:.4f} >= {enough:g}"
        elif stale is not None and self._stale >= stale:
            self.reason = f"nothing improved in {stale} evaluations"
        if self.reason:
            self.round = line["round"]
        return bool(self.reason)
