"""An honest worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from flwr.client import NumPyClient
from flwr.common import Scalar

from signfed.clients.encoders import Encoder
from signfed.strategies.core.seeds import generator

# (parameters float32 [N], worker id, round) -> gradient float32 [N]; pure.
GradientFn = Callable[[np.ndarray, int, int], np.ndarray]

# What an attack on the data makes of labels: int64 [k] -> int64 [k].
Relabel = Callable[[np.ndarray], np.ndarray]

# What one worker keeps between two rounds: "momentum" and "error", float32 [N] each.
Memory = dict[str, np.ndarray]


class HonestClient(NumPyClient):
    """One worker: a gradient on its own batch of the round, encoded as the server asks.

    worker: id of the worker. gradient: pure in (parameters, worker, round), so it does not matter
    who computes it. encoder: the way to the wire; draws from a generator of (seed, worker, round).
    momentum: beta of Signum in [0, 1), u <- beta u + (1 - beta) g, and u is sent.
    memory: what it kept; replaced by `fit`, never changed in place.
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

    def local_gradient(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        """The gradient on this worker's batch of the round: float32 [N]."""
        return self.gradient(parameters, self.worker, server_round)

    def update(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        """What this worker sends, before encoding: float32 [N]."""
        gradient = self.local_gradient(parameters, server_round)
        if not self.momentum or not np.isfinite(gradient).all():
            return gradient  # a broken gradient costs its round, not the momentum
        before = self.memory.get("momentum", np.float32(0.0))
        beta = np.float32(self.momentum)
        self.memory["momentum"] = beta * before + (1 - beta) * gradient
        return self.memory["momentum"]

    def encode(self, update: np.ndarray, server_round: int) -> np.ndarray:
        """float32 [N] -> the row that is sent."""
        draws = partial(generator, self.seed, "encode", self.worker, server_round)
        row, left = self.encoder.encode(update, self.memory.get("error"), draws)
        if left is not None:
            self.memory["error"] = left
        return row

    def message(self, parameters: np.ndarray, server_round: int) -> np.ndarray | None:
        """The row of this round; None when what is to be encoded is not finite."""
        update = self.update(parameters, server_round)
        return self.encode(update, server_round) if np.isfinite(update).all() else None

    def fit(
        self, parameters: list[np.ndarray], config: dict[str, Scalar]
    ) -> tuple[list[np.ndarray], int, dict[str, Scalar]]:
        """parameters: [float32 [N]]; config: "round". Returns ([encoded row], 1, {}).

        A worker whose gradient is not finite returns ([], 0, {}).
        """
        row = self.message(parameters[0], int(config["round"]))
        return ([], 0, {}) if row is None else ([row], 1, {})
