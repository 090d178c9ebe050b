"""A worker that lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from signfed.clients.adversary import Adversary
from signfed.clients.encoders import Encoder
from signfed.clients.honest import GradientFn, HonestClient, Memory, Relabel


class ByzantineClient(HonestClient):
    """A worker that computes its honest update, and sends what the adversary makes of it.

    adversary: the liars of the run, this worker among them. poisoned: the gradient on labels that
    an attack on the data has changed.
    Raises ValueError when what the attack wants to know cannot be known: with worker momentum or
    error feedback, what another worker sends depends on rounds that only it remembers.
    """

    def __init__(
        self,
        worker: int,
        gradient: GradientFn,
        encoder: Encoder,
        adversary: Adversary,
        poisoned: Callable[[Relabel], GradientFn],
        *,
        seed: int = 0,
        momentum: float = 0.0,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(worker, gradient, encoder, seed=seed, momentum=momentum, memory=memory)
        knowledge = adversary.attack.knowledge
        if knowledge != "own" and (momentum or encoder.feedback):
            raise ValueError(
                f"an attack with knowledge {knowledge!r} expects clients without memory; got "
                + ("worker momentum" if momentum else "error feedback")
            )
        self.adversary = adversary
        self.poisoned = poisoned

    def local_gradient(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        attack = self.adversary.does(self.worker, server_round)
        if attack is None or attack.stage != "data":
            return super().local_gradient(parameters, server_round)
        relabel = self.adversary.relabel(attack, self.worker, server_round)
        return self.poisoned(relabel)(parameters, self.worker, server_round)

    def update(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        own = super().update(parameters, server_round)
        attack = self.adversary.does(self.worker, server_round)
        if attack is None or attack.stage != "gradient":
            return own

        def honestly(worker: int) -> np.ndarray:
            return (
                own
                if worker == self.worker
                else self._peer(worker).update(parameters, server_round)
            )

        return self.adversary.row(self.worker, parameters, server_round, honestly)

    def message(self, parameters: np.ndarray, server_round: int) -> np.ndarray | None:
        row = super().message(parameters, server_round)
        attack = self.adversary.does(self.worker, server_round)
        if row is None or attack is None or attack.stage != "message":
            return row
        codec, n = self.encoder.codec, len(parameters)

        def honestly(worker: int) -> np.ndarray:
            sent = (
                row
                if worker == self.worker
                else self._peer(worker).message(parameters, server_round)
            )
            # Of a peer that sends nothing, an attack on the message sees no number.
            return np.full(n, np.nan, np.float32) if sent is None else codec.decode(sent, n)

        return codec.encode(self.adversary.row(self.worker, parameters, server_round, honestly))

    def _peer(self, worker: int) -> HonestClient:
        return HonestClient(worker, self.gradient, self.encoder, seed=self.seed)
