"""What each node is sent of the model: the steps that it lacks, one bit a coordinate, or all of it.

A node that keeps the model and the optimizer's state needs of a step only the direction. While
directions are sign vectors, they are packed and kept here for as long as sending them is cheaper
than the model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from logging import getLogger

import torch
from flwr.app import Message
from torch import Tensor

from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.values import is_signs
from signfed.strategies.server.optimizer import model_sha256
from signfed.strategies.server.training import Training

log = getLogger("signfed")


@dataclass(frozen=True)
class Lack:
    """What the nodes of a request lack of the model.

    Attributes
    ----------
    steps : Tensor, uint8 [k, ceil(N/8)], or None
        The packed steps, oldest first; None: all of the model.
    version : int
        Of the model.
    keep : bool
        Whether a node should keep it.
    digest : str
        Of the model, where there are steps.
    """

    steps: Tensor | None
    version: int
    keep: bool
    digest: str = ""


# (nodes that lack the same, what they lack) -> one request per node
Compose = Callable[[list[int], Lack], list[Message]]


class Downlink:
    """The model on its way to the nodes, in whatever dialect they read.

    A version of the model is the number of steps taken. `steps[i]` leads from version
    `version - len(steps) + i` to the next; at most as many are kept as are cheaper than the model.

    Parameters
    ----------
    training : Training
        Whose model it is.
    replicas : bool
        Whether a node can come to the server's model by the steps alone.
    """

    def __init__(self, training: Training, replicas: bool = True) -> None:
        self._training = training
        self._replicas = replicas
        self._steps: deque[Tensor] = deque()
        self._seen = training.taken
        self._held: dict[int, int] = {}  # node -> version of its replica
        self._digest: tuple[int, str] | None = None
        self._logged: set[int] = set()

    @property
    def version(self) -> int:
        """Of the model, as the last requests told it: the number of steps taken."""
        return self._seen

    @property
    def replicated(self) -> bool:
        """Whether nodes should keep the model: not when the last direction was no sign vector."""
        return self._replicas and (bool(self._steps) or self._training.direction is None)

    def stepped(self) -> None:
        """Take note of the step that the training has just taken, if it took one."""
        if self._training.taken == self._seen:
            return
        self._seen = self._training.taken
        direction = self._training.direction
        if not self._replicas or direction is None or not is_signs(direction):
            self._steps.clear()
            return
        packed = PackedSigns.pack(direction).bits.cpu()
        self._steps.append(packed)
        while len(self._steps) * len(packed) >= self._model_bytes():
            self._steps.popleft()

    def requests(self, nodes: Iterable[int], compose: Compose) -> list[Message]:
        """Return one request per node; nodes that lack the same share the content.

        Parameters
        ----------
        nodes : iterable of int
        compose : callable
            Makes the requests to nodes that lack the same.
        """
        by_lack: dict[int | None, list[int]] = {}
        for node in nodes:
            by_lack.setdefault(self._lacks(node), []).append(node)
        messages: list[Message] = []
        for lack, group in by_lack.items():
            messages += compose(group, self._lack(lack))
        return messages

    def heal(self, node: int, held: int, compose: Compose) -> Message:
        """Return what mends a node that cannot follow: the steps since its version, or the model.

        Parameters
        ----------
        node : int
        held : int
            The version that it holds; -1 for none.
        compose : callable
            Makes the request.
        """
        if node not in self._logged:
            self._logged.add(node)
            log.warning("node %d lacks the model of the round; it holds version %d", node, held)
        self.forget(node)
        if 0 <= held <= self._seen:
            self._held[node] = held
        return self.requests([node], compose)[0]

    def forget(self, node: int) -> None:
        """Send this node the model the next time, whatever it says."""
        self._held.pop(node, None)

    def arrived(self, node: int) -> None:
        """Take note that this node has answered this version's request: it holds this version."""
        if self.replicated:
            self._held[node] = self._seen

    def _lacks(self, node: int) -> int | None:
        """How many steps the node lacks; None when it gets the model."""
        held = self._held.get(node)
        if held is None or not self.replicated:
            return None
        lack = self._seen - held
        return lack if lack <= len(self._steps) else None

    def _lack(self, lack: int | None) -> Lack:
        if lack is None:
            return Lack(None, self._seen, self.replicated)
        length = -(-len(self._training.parameters) // 8)
        steps = list(self._steps)[len(self._steps) - lack :]
        matrix = torch.stack(steps) if steps else torch.empty(0, length, dtype=torch.uint8)
        return Lack(matrix, self._seen, self.replicated, self._current_digest())

    def _current_digest(self) -> str:
        if self._digest is None or self._digest[0] != self._seen:
            self._digest = (self._seen, model_sha256(self._training.parameters.cpu().numpy()))
        return self._digest[1]

    def _model_bytes(self) -> int:
        vectors = 1 if self._training.momentum is None else 2
        return 4 * vectors * len(self._training.parameters)
