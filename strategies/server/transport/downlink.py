"""What each node is sent of the model: the steps that it lacks, one bit a coordinate, or all of it.

A node that keeps the model and the optimizer's state needs of a step only the direction. While
directions are sign vectors, they are packed and kept here for as long as sending them is cheaper
than the model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from logging import getLogger
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message
from torch import Tensor

from signfed.strategies.core.updates import is_signs
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.server.optimizer import digest
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import wire

log = getLogger("signfed")


class Downlink:
    """Send each node what it lacks of the model.

    A version of the model is the number of steps taken. `steps[i]` leads from version `version -
    len(steps) + i` to the next; at most as many are kept as are cheaper than the model.

    Parameters
    ----------
    training : Training
        The model under way.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._steps: deque[Tensor] = deque()
        self._seen = training.taken
        self._held: dict[int, int] = {}  # node -> version of its replica
        self._digest: tuple[int, str] | None = None
        self._logged: set[int] = set()

    @property
    def replicated(self) -> bool:
        """Whether nodes should keep the model: not when the last direction was no sign vector."""
        return bool(self._steps) or self._training.direction is None

    def stepped(self) -> None:
        """Take note of the step that the training has just taken, if it took one."""
        if self._training.taken == self._seen:
            return
        self._seen = self._training.taken
        direction = self._training.direction
        if direction is None or not is_signs(direction):
            self._steps.clear()
            return
        packed = PackedSigns.pack(direction).bits.cpu()
        self._steps.append(packed)
        while len(self._steps) * len(packed) >= self._model_bytes():
            self._steps.popleft()

    def requests(
        self, nodes: Iterable[int], server_round: int, config: Mapping[str, Any], ttl: float
    ) -> list[Message]:
        """Make one request per node; nodes that lack the same share the content.

        Parameters
        ----------
        nodes : iterable of int
            Whom the round asks.
        server_round : int
            Number of the round.
        config : mapping
            What each request says besides.
        ttl : float
            Seconds until a request expires.
        """
        by_lack: dict[int | None, list[int]] = {}
        for node in nodes:
            by_lack.setdefault(self._lacks(node), []).append(node)
        messages: list[Message] = []
        for lack, group in by_lack.items():
            record = ConfigRecord({**config, **self._header(lack)})
            messages += wire.train(group, self._payload(lack), server_round, record, ttl)
        return messages

    def heal(
        self, node: int, held: int, server_round: int, config: Mapping[str, Any], ttl: float
    ) -> Message:
        """Make a request for a node that cannot follow: with the steps that it lacks, or the model.

        Parameters
        ----------
        node : int
            Which one.
        held : int
            The version that it says it holds; -1 for none.
        server_round, config, ttl : int
            As for `requests`.
        """
        if node not in self._logged:
            self._logged.add(node)
            log.warning("node %d lacks the model of the round; it holds version %d", node, held)
        self.forget(node)
        if 0 <= held <= self._seen:
            self._held[node] = held
        return self.requests([node], server_round, config, ttl)[0]

    def forget(self, node: int) -> None:
        """Send this node the model the next time, whatever it says."""
        self._held.pop(node, None)

    def arrived(self, node: int) -> None:
        """Note that the node has answered this version's request: it holds this version."""
        if self.replicated:
            self._held[node] = self._seen

    def _lacks(self, node: int) -> int | None:
        """How many steps the node lacks; None when it gets the model."""
        held = self._held.get(node)
        if held is None or not self.replicated:
            return None
        lack = self._seen - held
        return lack if lack <= len(self._steps) else None

    def _payload(self, lack: int | None) -> ArrayRecord:
        if lack is None:
            arrays = {"parameters": self._training.parameters}
            if self.replicated and self._training.momentum is not None:
                arrays["momentum"] = self._training.momentum
            return ArrayRecord({name: Array(t.cpu().numpy()) for name, t in arrays.items()})
        length = -(-len(self._training.parameters) // 8)
        steps = list(self._steps)[len(self._steps) - lack :]
        matrix = torch.stack(steps) if steps else torch.empty(0, length, dtype=torch.uint8)
        return ArrayRecord({"directions": Array(matrix.numpy())})

    def _header(self, lack: int | None) -> dict[str, int | bool | str]:
        header: dict[str, int | bool | str] = {"version": self._seen, "keep": self.replicated}
        return header if lack is None else header | {"digest": self._current_digest()}

    def _current_digest(self) -> str:
        if self._digest is None or self._digest[0] != self._seen:
            self._digest = (self._seen, digest(self._training.parameters))
        return self._digest[1]

    def _model_bytes(self) -> int:
        vectors = 1 if self._training.momentum is None else 2
        return 4 * vectors * len(self._training.parameters)
