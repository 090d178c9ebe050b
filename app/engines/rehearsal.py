"""The rule of a run, asked what it would make of a round, by attacks that may ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from signfed.app.errors import ConfigError
from signfed.attacks.core.view import Stage
from signfed.clients import Encoder, Memory
from signfed.strategies.core.rule import Rule, answer
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.threads import one_thread

# (updates, server_round) -> the updates as the rule gets them; None where the round is skipped
Complete = Callable[[Updates, int], Updates | None]


def check_copied(rule: Rule, attack: str) -> None:
    """Raise ConfigError when an attack asks a rule of which there can be no copy.

    Parameters
    ----------
    rule : Rule
        Of the run.
    attack : str
        Name of the attack, for the message.
    """
    try:
        deepcopy(rule)
    except Exception as error:
        raise ConfigError(
            f"attack={attack!r}: asks copies of the rule, and {rule.title()} cannot be copied "
            f"({type(error).__name__}: {error}); expected one that copy.deepcopy takes"
        ) from error


class Rehearsal:
    """Encode, check and aggregate as the round itself will, on a copy of the rule: an `AskRule`.

    The copy is of the rule as it is after the last round, and is thrown away. So a rule with a
    memory learns nothing from being asked, and answers as it will in earnest.

    Parameters
    ----------
    rule : Rule
        The one that the run goes on with.
    encoder : Encoder
        Of all workers.
    seed : int
        Of the run: an encoder that draws will draw the same.
    device : torch.device
        Where the rule gets its rows.
    remembered : callable, optional
        Worker -> what it remembered before the round.
    complete : callable, optional
        Adds to the updates of a round what the server knows: `Training.as_rule_gets`.
    """

    def __init__(
        self,
        rule: Rule,
        encoder: Encoder,
        seed: int,
        device: torch.device,
        remembered: Callable[[int], Memory] = lambda worker: {},
        complete: Complete = lambda updates, server_round: updates,
    ) -> None:
        self._rule, self._encoder, self._seed, self._device = rule, encoder, seed, device
        self._remembered, self._complete = remembered, complete
        self._honest: Mapping[int, np.ndarray] = {}
        self._encoded: dict[int, np.ndarray] = {}  # what they send

    def __call__(
        self,
        stage: Stage,
        server_round: int,
        honest: Mapping[int, np.ndarray],
        sent: Mapping[int, np.ndarray],
    ) -> np.ndarray:
        """Return the direction of such a round, float32 [N]; NaN where there would be none.

        Parameters
        ----------
        stage : Stage
            "gradient" or "message": where the rows are.
        server_round : int
            Number of the round.
        honest, sent : mapping of int to ndarray
            Worker -> its row at the stage, float32 [N]; a row with NaN is not sent.
        """
        n, encoded = len(next(iter(sent.values()))), partial(self._rows, stage, server_round)
        if honest is not self._honest:  # they are the same for all questions of an attack
            self._honest, self._encoded = honest, encoded(honest)
        rows = {**self._encoded, **encoded(sent)}
        if not rows:
            return np.full(n, np.nan, np.float32)
        updates = Updates.from_rows(rows, self._encoder.codec, n, server_round)
        updates = replace(updates, rows=updates.rows.to(self._device))
        complete = self._complete(updates, server_round)
        if complete is None:
            return np.full(n, np.nan, np.float32)
        with one_thread():
            return answer(deepcopy(self._rule), complete).cpu().numpy()

    def _rows(
        self, stage: Stage, server_round: int, values: Mapping[int, np.ndarray]
    ) -> dict[int, np.ndarray]:
        """Return the valid rows that these workers send, encoded."""
        codec, found = self._encoder.codec, {}
        for worker, value in values.items():
            if np.isnan(value).any():  # it sends nothing
                continue
            if stage == "gradient":
                draws = partial(generator, self._seed, "encode", worker, server_round)
                error = self._remembered(worker).get("error")
                row, _ = self._encoder.encode(value, error, draws)
            else:
                row = codec.encode(value)
            if codec.fault(row, len(value)) is None:
                found[worker] = row
        return found
