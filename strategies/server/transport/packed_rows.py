"""The dialect of our own clients: one row per hosted worker, a model that nodes may keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message

from signfed.strategies.core.codecs import Codec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.claims import medians
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.downlink import Lack


class PackedRows:
    """Speak as `wire` describes it: a `Dialect`.

    Parameters
    ----------
    training : Training
        Whose model is sent.
    codec : Codec
        How rows are read.
    encoder : str
        Name of the one that clients use.
    """

    def __init__(self, training: Training, codec: Codec, encoder: str) -> None:
        self._training, self._codec, self._encoder = training, codec, encoder
        self._n = len(training.parameters)
        self._accuracies: dict[int, float] = {}  # as the workers of the round claim
        self._heard = 0  # workers of the round with a valid row
        self.bytes_per_worker = codec.length(self._n) * codec.dtype.itemsize

    def requests(
        self, nodes: list[int], lack: Lack, server_round: int, config: Mapping[str, Any], ttl: float
    ) -> list[Message]:
        """One request per node; all share one content."""
        said: dict[str, int | bool | str] = {"version": lack.version, "keep": lack.keep}
        if lack.steps is None:
            arrays = {"parameters": self._training.parameters}
            if lack.keep and self._training.momentum is not None:
                arrays["momentum"] = self._training.momentum
            model = ArrayRecord({name: Array(t.cpu().numpy()) for name, t in arrays.items()})
        else:
            model = ArrayRecord({"directions": Array(lack.steps.numpy())})
            said["digest"] = lack.digest
        record = ConfigRecord({**config, "encoder": self._encoder, **said})
        return wire.train(nodes, model, server_round, record, ttl)

    def open_reply(
        self, reply: Message, workers: tuple[int, ...], server_round: int
    ) -> tuple[dict[int, np.ndarray], dict[int, DropReason]]:
        """Check one reply; see `wire.open_reply`."""
        rows, dropped = wire.open_reply(reply, workers, self._codec, self._n, server_round)
        if rows:
            said = wire.read_accuracies(reply)
            self._accuracies |= {worker: said[worker] for worker in rows if worker in said}
            self._heard += len(rows)
        return rows, dropped

    def said(self) -> dict[str, dict[str, Any]]:
        """The median of the accuracies that workers claim, where more than half do."""
        silent: list[dict[str, float]] = [{}] * (self._heard - len(self._accuracies))
        found = medians([*({"accuracy": a} for a in self._accuracies.values()), *silent])
        self._accuracies, self._heard = {}, 0
        return {"evaluate": found} if found else {}

    def read_lacking(self, reply: Message) -> int | None:
        """The version that a node holds which cannot follow; None where it can."""
        return wire.read_lacking(reply)

    def holds(self, reply: Message, version: int) -> bool:
        """Whether the sender keeps the model: each of our own nodes does when it is told to."""
        return True

    def updates(self, rows: Mapping[int, np.ndarray], server_round: int) -> Updates:
        """The valid rows of a round, at least one."""
        return Updates.from_rows(rows, self._codec, self._n, server_round)
