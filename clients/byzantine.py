"""A worker that lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attacks import Attack, View
from clients.honest import GradientFn, HonestClient
from strategies.codecs import Codec
from strategies.seeds import generator


class ByzantineClient(HonestClient):
    """A worker that computes its honest update, and sends what its attack makes of it.

    attack: must declare knowledge "own"; options: its keyword arguments. seed: of the run; the
    attack draws from a generator of (seed, worker, round). n_total: workers in the federation.
    Raises ValueError when the attack asks for rows that this worker does not have.
    """

    def __init__(
        self,
        worker: int,
        gradient: GradientFn,
        codec: Codec,
        attack: Attack,
        options: Mapping[str, object],
        *,
        seed: int,
        n_total: int,
    ) -> None:
        super().__init__(worker, gradient, codec)
        if attack.knowledge != "own":
            raise ValueError(
                f"a Byzantine client knows its own row, the attack asks for {attack.knowledge!r}"
            )
        self.attack = attack
        self.options = dict(options)
        self.seed = seed
        self.n_total = n_total

    def update(self, parameters: np.ndarray, round: int) -> np.ndarray:
        own = super().update(parameters, round)
        if self.attack.stage == "message":
            own = self.codec.decode(self.codec.encode(own), len(own))
        generators = (generator(self.seed, "attack", self.worker, round),)
        return self.attack(View(own[None], generators, self.n_total), **self.options)[0]
