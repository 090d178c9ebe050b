"""What the nodes of a public app should answer, with each of our mods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flwr.app import Message, MessageType

from signfed.strategies.core.codecs import Codec
from signfed.strategies.server.transport import plain
from tests.simulation.outcome import Content, Life, Outcome, Violation
from tests.simulation.public_app import trained


@dataclass(frozen=True)
class Asked:
    """A request. steps: of the model; None where it holds all of it."""

    message: str
    node: int
    worker: int
    partition: int
    round: int
    trains: bool
    version: int
    keep: bool
    steps: int | None

    @classmethod
    def of(cls, message: Message, node: int, worker: int, partition: int, taken: int) -> Asked:
        """Read a request. taken: steps so far, for one on floats, which has no header of ours."""
        arrays, said = message.content["arrays"], plain.header(message.content)
        steps = None
        if plain.DIRECTIONS in arrays:
            steps = len(arrays[plain.DIRECTIONS].numpy())
        return cls(
            message.metadata.message_id, node, worker, partition,
            int(message.content["config"]["server-round"]),
            message.metadata.message_type == MessageType.TRAIN,
            int(said["version"]) if said else taken, bool(said.get("keep")), steps,
        )  # fmt: skip


def holds(message: Message, x: np.ndarray) -> bool:
    """Whether all of this model is in a request."""
    data: bytes = message.content["arrays"]["w"].data
    return data[-x.nbytes :] == x.tobytes()


class PublicAnswers:
    """The nodes of one server process, as they should be.

    Attributes
    ----------
    models : dict
        Version -> parameters, of each version that the server has had.
    """

    def __init__(self, mod: str, codec: Codec, signs: bool) -> None:
        self.packed = signs and bool(mod)  # whether rows come as packed signs
        self._codec = codec
        self._keeps = signs and "both" in mod
        self._feeds_back = signs and "feedback" in mod
        self.models: dict[int, np.ndarray] = {}
        self._held: dict[Life, int] = {}
        self._error: dict[Life, np.ndarray] = {}
        # Of nodes whose mod remembers: the messages, and the last that has moved its memory.
        self._seen: dict[Life, list[str]] = {}
        self._last: dict[Life, tuple[str, Content]] = {}

    def answered(self, request: Asked, reply: Message, life: Life) -> Outcome:
        """What a node's answer is worth. Raises Violation where it is another."""
        place, seen = f"node {life}, {request}", self._seen.setdefault(life, [])
        answer, content = self._last.get(life, ("", Content()))
        again = request.message == answer
        refused = not again and request.message in seen[:-1]
        if reply.has_error() != refused:
            raise Violation("node", f"{place}: refused {refused}; {reply}")
        if refused:
            return Outcome.of("error")
        if not again:
            content = self._worked_on(request, life)
        if (self._keeps or self._feeds_back) and request.message not in seen:
            seen.append(request.message)
        if self._feeds_back and request.trains and not content.lacking:
            self._last[life] = request.message, content
        if content.lacking != (plain.read_lacking(reply) is not None):
            raise Violation("node", f"{place}: lacking {content.lacking}; {sorted(reply.content)}")
        if content.rows:
            [array] = reply.content["arrays"].values()
            mine = self._sent(request, content).tobytes()
            if array.data[-len(mine) :] != mine:
                raise Violation("node", f"{place}: another model than its app makes")
        return Outcome(content=content)

    def _worked_on(self, request: Asked, life: Life) -> Content:
        if request.steps is not None:
            held = self._held.get(life, -1)
            if held < 0 or not 0 <= request.version - held <= request.steps:
                return Content(lacking=True)
        if self._keeps and request.keep:
            self._held[life] = request.version
        if not request.trains:
            return Content()
        x = self.models[request.version]
        update = x - trained(x, request.partition, request.round)
        if self._feeds_back:
            update = update + self._error.get(life, np.float32(0))
            scale = np.float32(np.abs(update).mean(dtype=np.float64))
            self._error[life] = update - np.where(update >= 0, scale, -scale)
        return Content({request.worker: self._codec.encode(update)})

    def _sent(self, request: Asked, content: Content) -> np.ndarray:
        """The signs, or the model, that a node sends."""
        if self.packed:
            return content.rows[request.worker]
        return trained(self.models[request.version], request.partition, request.round)
