"""Rounds that are not waited for: when their records come, and what is done about broken rows."""

from __future__ import annotations

from time import monotonic
from typing import Protocol

from torch import Tensor

from signfed.app.engines.local.resident import RowsBroken
from signfed.app.engines.run import Run
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training

PATIENCE = 1.0  # seconds after which a state is offered to whoever keeps it for an interruption


class Collecting(Protocol):
    """What the two classes below need of the local engine's workers."""

    def settle(self) -> None:
        """Wait for what the last round's record still lacks."""

    def again(self, record: RoundRecord) -> Updates | None:
        """Return the updates of the round that are usable; the others go into the record.

        Parameters
        ----------
        record : RoundRecord
            Of the round.
        """


class RoundsLater:
    """Settle at once the rounds whose score or state is wanted, and one a second: a `Later`.

    Parameters
    ----------
    run : Run
        Says which those are.
    workers : Collecting
        Whose ledger is read.
    """

    def __init__(self, run: Run, workers: Collecting) -> None:
        self._run, self._workers = run, workers
        self._next = monotonic() + PATIENCE

    def at_once(self, server_round: int) -> bool:
        if not (
            self._run.evaluates(server_round)
            or self._run.saves(server_round)
            or monotonic() >= self._next
        ):
            return False
        self._next = monotonic() + PATIENCE
        return True

    def settle(self) -> None:
        self._workers.settle()


class Mending:
    """A `Model` that learns of broken rows when it reads, and then gets the round without them.

    Parameters
    ----------
    training : Training
    workers : Collecting
    """

    def __init__(self, training: Training, workers: Collecting) -> None:
        self._training, self._workers = training, workers

    @property
    def parameters(self) -> Tensor:
        """float32 [N]."""
        return self._training.parameters

    def advance(self, updates: Updates | None, record: RoundRecord) -> bool:
        """Advance with the usable rows alone. Raises RowsBroken for a round whose step is taken."""
        try:
            return self._training.advance(updates, record)
        except RowsBroken as error:
            if error.server_round != record.round:
                raise
            return self._training.advance(self._workers.again(record), record)

    def state_dict(self) -> State:
        return self._training.state_dict()
