"""The rounds of a run: collect, aggregate, step, evaluate, record. Every engine runs this loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from logging import getLogger
from typing import Protocol

from torch import Tensor

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.record import RoundRecord

log = getLogger("signfed")

# (round, parameters float32 [N]) -> scores of the record; None in a round without evaluation
Evaluate = Callable[[int, Tensor], Mapping[str, float] | None]

# Gets the record of each round, and a function that returns the run's state after it, `gone` where
# the run has gone past it; returns whether the run ends here, before its last round.
OnRound = Callable[[RoundRecord, Callable[[], State]], bool | None]


class Collector(Protocol):
    """How the updates of a round come in: as messages of Flower's nodes, or computed here."""

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        """Return the valid updates of the round, None when there is none, and a new record.

        The record tells the nodes, the dropped workers and the bytes, and the seconds taken.

        Parameters
        ----------
        server_round : int
            Number of the round.
        """

    def state_dict(self) -> State:
        """Return what the collector has to remember for the run to go on."""


class Model(Protocol):
    """The model under way, as the loop needs it: a `Training`, or what stands before one."""

    @property
    def parameters(self) -> Tensor:
        """float32 [N]."""

    def advance(self, updates: Updates | None, record: RoundRecord) -> bool:
        """Make one round's updates into new parameters.

        Parameters
        ----------
        updates : Updates or None
            None when none was valid.
        record : RoundRecord
            Of the round.

        Returns
        -------
        bool
            False when the round was skipped.
        """

    def state_dict(self) -> State:
        """Return what the model needs to go on."""


def gone() -> State:
    """Return no state but raise RuntimeError: the run has gone past the round that is asked for."""
    raise RuntimeError("the run has gone past this round; expected to be asked for a later state")


class Later(Protocol):
    """Of an engine whose rounds are not waited for: which rounds are, and how."""

    def at_once(self, server_round: int) -> bool:
        """Tell whether the round is settled before the next one begins.

        Parameters
        ----------
        server_round : int
            Number of the round.
        """

    def settle(self) -> None:
        """Wait for what the last round's record still lacks."""


def run_rounds(
    training: Model,
    collector: Collector,
    rounds: Iterable[int],
    *,
    evaluate: Evaluate | None = None,
    on_round: OnRound | None = None,
    later: Later | None = None,
) -> None:
    """Run these rounds on a model, one after the other.

    Parameters
    ----------
    training : Model
        The rule, the optimizer and the model; it is changed.
    collector : Collector
        Where the updates come from.
    rounds : iterable of int
        1-based numbers, ascending.
    evaluate : callable, optional
        Asked in each round what the model is worth.
    on_round : callable, optional
        Gets one record a round, and ends the run by returning True.
    later : Later, optional
        With one, the record of a round that is not settled at once comes after the next round, and
        with `gone` for its state.

    Raises
    ------
    FederationError
        When the federation cannot go on.
    """
    noticed: set[int] = set()
    waiting: RoundRecord | None = None
    for server_round in rounds:
        updates, record = collector.collect(server_round)
        for worker in record.dropped.get(DropReason.NON_FINITE, ()):
            if worker not in noticed:
                noticed.add(worker)
                log.warning("worker %d: its update is not finite, and is not used", worker)
        with record.timed("server"):
            training.advance(updates, record)
        if waiting and on_round and on_round(waiting, gone):
            return
        waiting = None
        if evaluate:
            with record.timed("evaluate"):
                record.add_scores(evaluate(server_round, training.parameters) or {})
        if later and not later.at_once(server_round):
            waiting = record
            continue
        if later:
            later.settle()
        if on_round and on_round(record, lambda: training.state_dict() | collector.state_dict()):
            return
