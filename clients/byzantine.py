"""A worker that lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attacks import Attack, View
from clients.encoders import Encoder
from clients.honest import GradientFn, HonestClient, Memory
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
        encoder: Encoder,
        attack: Attack,
        options: Mapping[str, object],
        *,
        seed: int,
        n_total: int,
        momentum: float = 0.0,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(worker, gradient, encoder, seed=seed, momentum=momentum, memory=memory)
        if attack.knowledge != "own":
            raise ValueError(
                f"a Byzantine client knows its own row, the attack asks for {attack.knowledge!r}"
            )
        self.attack = attack
        self.options = dict(options)
        self.n_total = n_total

    def update(self, parameters: np.ndarray, round: int) -> np.ndarray:
        own = super().update(parameters, round)
        return self._craft(own, round) if self.attack.stage == "gradient" else own

    def message(self, parameters: np.ndarray, round: int) -> np.ndarray:
        row = super().message(parameters, round)
        if self.attack.stage == "gradient":
            return row
        codec, n = self.encoder.codec, len(parameters)
        return codec.encode(self._craft(codec.decode(row, n), round))

    def _craft(self, own: np.ndarray, round: int) -> np.ndarray:
        generators = (generator(self.seed, "attack", self.worker, round),)
        return self.attack(View(own[None], generators, self.n_total), **self.options)[0]
