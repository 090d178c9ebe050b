"""An honest worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np
from flwr.client import NumPyClient
from flwr.common import Scalar

from signfed.attacks.core.data import Batch
from signfed.attacks.core.view import Stage
from signfed.clients.encoders import Encoder
from signfed.strategies.core.seeds import generator

T = TypeVar("T")

# (parameters float32 [N], worker id, server_round) -> gradient float32 [N]; pure.
GradientFn = Callable[[np.ndarray, int, int], np.ndarray]

# What an attack on the data makes of a worker's batch.
Poison = Callable[[Batch], Batch]

# What one worker keeps between two rounds: "momentum" and "error", float32 [N] each, and under
# "attack." what an attack with a past keeps.
Memory = dict[str, np.ndarray]


class HonestClient(NumPyClient):
    """One worker: the gradient on its own batch of the round, encoded as the server asks.

    A round is a pipeline, data -> gradient -> message. What each stage made goes through
    `hand_on`, the one place where an adversary may step in.

    Parameters
    ----------
    worker : int
        Id of the worker.
    gradient : GradientFn
        Pure in (parameters, worker, server_round), so it does not matter who computes it.
    encoder : Encoder
        From a vector to a row; draws from a generator of (seed, worker, server_round).
    seed : int
        Seed of the run.
    momentum : float in [0, 1)
        beta of Signum: u <- beta u + (1 - beta) g, and u is sent.
    memory : Memory, optional
        What the worker kept. `fit` replaces its arrays and never changes them in place.
    """

    def __init__(
        self,
        worker: int,
        gradient: GradientFn,
        encoder: Encoder,
        *,
        seed: int = 0,
        momentum: float = 0.0,
        memory: Memory | None = None,
    ) -> None:
        self.worker = worker
        self.gradient = gradient
        self.encoder = encoder
        self.seed = seed
        self.momentum = momentum
        self.memory = dict(memory or {})

    def update(self, parameters: np.ndarray, server_round: int) -> np.ndarray | None:
        """Compute the vector that is to be encoded: data -> gradient.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        server_round : int
            Number of the round.

        Returns
        -------
        ndarray or None
            The gradient or, with momentum, u: float32 [N]. None when it is not finite.
        """
        gradient = self.hand_on("data", self.gradient, parameters, server_round)
        vector = self._smoothed(gradient(parameters, self.worker, server_round))
        made = vector if np.isfinite(vector).all() else None
        return self.hand_on("gradient", made, parameters, server_round)

    def message(self, parameters: np.ndarray, server_round: int) -> np.ndarray | None:
        """Compute the row of this round: data -> gradient -> message.

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        server_round : int
            Number of the round.

        Returns
        -------
        ndarray or None
            The encoded row; None when the vector to be encoded is not finite. The worker then sends
            nothing: on a sign channel NaN would become a vote for -1.
        """
        vector = self.update(parameters, server_round)
        row = None if vector is None else self._encoded(vector, server_round)
        return self.hand_on("message", row, parameters, server_round)

    def hand_on(self, stage: Stage, made: T, parameters: np.ndarray, server_round: int) -> T:
        """Pass on what a stage made.

        Parameters
        ----------
        stage : Stage
            Which one: "data" made the gradient function, "gradient" a vector, "message" a row.
        made : object
            None where the vector or the row is not finite.
        parameters : ndarray, float32 [N]
            The model of the round.
        server_round : int
            Number of the round.

        Returns
        -------
        object
            `made`, or what an adversary makes of it.
        """
        return made

    def fit(
        self, parameters: list[np.ndarray], config: Mapping[str, Scalar]
    ) -> tuple[list[np.ndarray], int, dict[str, Scalar]]:
        """Take part in a round, as Flower asks a NumPyClient.

        Parameters
        ----------
        parameters : list of ndarray
            The model, float32 [N], alone.
        config : mapping
            "round": number of the round.

        Returns
        -------
        tuple
            ([row], 1, {}), or ([], 1, {}) when `message` returns None.
        """
        row = self.message(parameters[0], int(config["round"]))
        return ([] if row is None else [row]), 1, {}

    def _smoothed(self, gradient: np.ndarray) -> np.ndarray:
        if not self.momentum or not np.isfinite(gradient).all():
            return gradient  # a broken gradient costs its round, not the momentum
        before = self.memory.get("momentum", np.float32(0.0))
        beta = np.float32(self.momentum)
        self.memory["momentum"] = beta * before + (1 - beta) * gradient
        return self.memory["momentum"]

    def _encoded(self, vector: np.ndarray, server_round: int) -> np.ndarray:
        draws = partial(generator, self.seed, "encode", self.worker, server_round)
        row, left = self.encoder.encode(vector, self.memory.get("error"), draws)
        if left is not None:
            self.memory["error"] = left
        return row
