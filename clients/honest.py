"""An honest worker."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flwr.client import NumPyClient

from strategies.codecs import Codec

# (parameters float32 [N], worker id, round) -> gradient float32 [N]; pure.
GradientFn = Callable[[np.ndarray, int, int], np.ndarray]


class HonestClient(NumPyClient):
    """One worker: a gradient on its own batch of the round, encoded as the server asks.

    worker: id of the worker. gradient: pure in (parameters, worker, round), so it does not matter
    who computes it. codec: the wire form.
    """

    def __init__(self, worker: int, gradient: GradientFn, codec: Codec) -> None:
        self.worker = worker
        self.gradient = gradient
        self.codec = codec

    def update(self, parameters: np.ndarray, round: int) -> np.ndarray:
        """What this worker sends, before encoding: float32 [N]."""
        return self.gradient(parameters, self.worker, round)

    def fit(
        self, parameters: list[np.ndarray], config: dict[str, int]
    ) -> tuple[list[np.ndarray], int, dict[str, float]]:
        """parameters: [float32 [N]]; config: "round". Returns ([encoded row], 1, {})."""
        update = self.update(parameters[0], int(config["round"]))
        return [self.codec.encode(update)], 1, {}
