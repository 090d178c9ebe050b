"""A Byzantine worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from signfed.attacks import KnowledgeError
from signfed.attacks.core.view import Stage
from signfed.clients.adversary import Adversary
from signfed.clients.encoders import Encoder
from signfed.clients.honest import GradientFn, HonestClient, Memory, Poison


class ByzantineClient(HonestClient):
    """A worker that computes its honest update, and sends what the adversary makes of it.

    Parameters
    ----------
    worker, gradient, encoder, seed, momentum, memory
        As for `HonestClient`.
    adversary : Adversary
        All Byzantine workers of the run, this one among them.
    poisoned : callable
        Poison -> the gradient function on the changed batches, for attacks on the data.

    Raises
    ------
    KnowledgeError
        When the attack looks at other workers' updates, these have a memory (worker momentum, error
        feedback), and the adversary has no `memories`: what they send depends on rounds that only
        they remember.
    """

    def __init__(
        self,
        worker: int,
        gradient: GradientFn,
        encoder: Encoder,
        adversary: Adversary,
        poisoned: Callable[[Poison], GradientFn],
        *,
        seed: int = 0,
        momentum: float = 0.0,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(worker, gradient, encoder, seed=seed, momentum=momentum, memory=memory)
        knowledge = adversary.attack.knowledge
        remembers = bool(momentum or encoder.feedback)
        if knowledge != "own" and remembers and adversary.memories is None:
            raise KnowledgeError(
                f"an attack with knowledge {knowledge!r} expects clients without memory, or an "
                "engine that knows what all of them remember; got "
                + ("worker momentum" if momentum else "error feedback")
            )
        self.adversary = adversary
        self.poisoned = poisoned

    def hand_on(self, stage: Stage, made: Any, parameters: np.ndarray, server_round: int) -> Any:
        """Pass on what the adversary makes of it, at the stage where the attack strikes.

        An attack may send infinity. NaN has no sign and is sent on no channel: None.
        """
        attack = self.adversary.attack_of(self.worker, server_round)
        if attack is None or attack.stage != stage:
            return made

        def crafted(own: np.ndarray) -> np.ndarray:
            return self.adversary.row(
                self.worker, own, parameters, server_round, honestly, self.memory
            )

        def honestly(worker: int) -> np.ndarray:
            peer = HonestClient(
                worker, self.gradient, self.encoder, seed=self.seed, momentum=self.momentum,
                memory=self.adversary.remembered(worker),
            )  # fmt: skip
            compute = peer.message if stage == "message" else peer.update
            return self._seen(stage, compute(parameters, server_round), len(parameters))

        if stage == "data":
            return self.poisoned(partial(self.adversary.batch, self.worker, server_round))
        row = crafted(self._seen(stage, made, len(parameters)))
        if np.isnan(row).any():
            return None
        return self.encoder.codec.encode(row) if stage == "message" else row

    def _seen(self, stage: Stage, made: np.ndarray | None, n_coordinates: int) -> np.ndarray:
        """Return the values of a vector or a row, float32 [N]; NaN where nothing is sent."""
        if made is None:
            return np.full(n_coordinates, np.nan, dtype=np.float32)
        return self.encoder.codec.decode(made, n_coordinates) if stage == "message" else made
