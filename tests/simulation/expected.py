"""What the model of a run keeps: its records, and what a later process goes on from.

Training and Updates are the real ones: an error of theirs cannot be found here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import MAX_FAILED_ROUNDS, Training
from tests.simulation.outcome import Violation, bare, difference


@dataclass
class Snapshot:
    """The run after a round. holders: which node speaks for which partition or worker."""

    training: Training
    holders: dict[int, int]
    state: dict[str, torch.Tensor]


class Expected(ABC):
    """One attempt of a run: a server process, from its start to its end.

    Attributes
    ----------
    training : Training
    round : int
        Under way.
    lines : list of str
        What `rounds.jsonl` should hold, each as `bare` returns it.
    history : dict
        Round -> the run after it, for rounds that a later server process may go on from; of
        earlier attempts, too.
    """

    training: Training
    round: int
    _counted: tuple[Updates | None, dict[int, str]] | None

    def __init__(self, kept: Callable[[int], bool]) -> None:
        self._kept = kept
        self.lines: list[str] = []
        self.history: dict[int, Snapshot] = {}

    @abstractmethod
    def _workers(self) -> list[int]:
        """Those of the round, ascending."""

    @abstractmethod
    def _count(self, said: dict[int, str]) -> tuple[Updates | None, dict[int, str]]:
        """The rows that count, and why each other worker has none; `said` where two would do."""

    @abstractmethod
    def close(self, line: str | None, state: State | None) -> None:
        """The round is over; None when the server gave the run up in it."""

    @abstractmethod
    def state(self) -> State:
        """What a checkpoint should hold now."""

    def received(self, updates: Updates | None, dropped: dict[DropReason, list[int]]) -> None:
        """The server has sorted the replies: each worker is in one place, each row there once."""
        workers, ids = self._workers(), [] if updates is None else updates.ids.tolist()
        if len(set(ids)) < len(ids):
            raise Violation("twice", f"rows of workers {ids}")
        if sorted([*ids, *(w for group in dropped.values() for w in group)]) != workers:
            raise Violation("places", f"{workers} asked; rows of {ids}, dropped: {dropped}")
        said = {w: str(reason) for reason, group in dropped.items() for w in group}
        mine, faults = self._counted = self._count(said)
        if said != faults or ids != ([] if mine is None else mine.ids.tolist()):
            raise Violation("record", f"dropped {said}, rows of {ids}; it should be {faults}")
        if updates and mine and mine.rows.numpy().tobytes() != updates.rows.numpy().tobytes():
            raise Violation("record", "other rows than those that counted")

    def _go_on(self, before: Expected, done: int) -> dict[int, int]:
        """Take over what there was after so many rounds; who speaks for whom."""
        self.history = {r: s for r, s in before.history.items() if r <= done}
        self.lines = before.lines[:done]
        self.training = deepcopy(self.history[done].training)
        return dict(self.history[done].holders)

    def _settle(
        self, line: str, record: RoundRecord, state: State, holders: dict[int, int]
    ) -> None:
        """Compare the round's record and state with the server's, and keep them."""
        mine = bare(record.to_json())
        if mine != line:
            raise Violation("record", f"{line}; it should be {mine}")
        self.lines.append(mine)
        found = self.state()
        if differ := difference(state, found):
            raise Violation("model", f"after round {self.round}: {differ}")
        # After one more round without a step the server may give up, and keeps this one.
        last_try = int(found["failed_rounds"]) == MAX_FAILED_ROUNDS - 1
        if last_try or self._kept(self.round):
            copies = {name: tensor.clone() for name, tensor in found.items()}
            kept = Snapshot(deepcopy(self.training), dict(holders), copies)
            self.history[self.round] = kept

    def gave_up(self, error: FederationError) -> None:
        """The server ends the run with this error; so should the model."""
        try:
            self.close(None, None)
        except FederationError as mine:
            if type(mine) is not type(error):
                raise Violation("record", f"{error!r}; it should be {mine!r}") from error
