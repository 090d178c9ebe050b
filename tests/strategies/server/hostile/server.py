"""The server's side of one round: everything that reads a reply, and the memory that this takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from flwr.app import Message, RecordDict

from signfed.strategies.core.codecs import Codec
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.intake import Intake, Received

# Bytes that a round may take for four rows of up to 1,001 coordinates, whatever the replies hold.
# Most of it is the parsing of a header of 1 KB (half a megabyte for the worst that we found); a
# reply of up to twice its rows and 64 KB is serialized once.
BOUND = 1 << 20
ROUND = 3


class Server:
    """The checks of a run, after two nodes have been asked in round 3.

    Node 100, the hostile one, hosts the workers 0 and 2; node 101, honest, 1 and 3.
    """

    ASKED: ClassVar = {100: (0, 2), 101: (1, 3)}

    def __init__(self, codec: Codec, n_coordinates: int) -> None:
        self.codec, self.n_coordinates = codec, n_coordinates
        length = codec.length(n_coordinates) * codec.dtype.itemsize
        self.intake = Intake(
            lambda *asked: wire.open_reply(*asked[:2], codec, n_coordinates, asked[2]), length
        )
        self._requests = {f"to {node}": _request(node) for node in self.ASKED}
        self.honest, self.neighbour = self._reply(100), self._reply(101)
        self.neighbours_rows = self.neighbour.content["updates"]["rows"].numpy()

    def reply(self, change: Callable[[dict], dict]) -> Message:
        """The hostile node's reply: the honest one with its records changed."""
        content = RecordDict(change(dict(self.honest.content)))
        return Message(content, metadata=self.honest.metadata)

    def open(self, *replies: Message, neighbour: bool = True) -> tuple[Received, int]:
        """What these replies, and the honest node's after them, bring in; the most bytes held."""
        incoming = [*replies, self.neighbour] if neighbour else replies
        tracemalloc.start()
        try:
            received = self.intake.open(ROUND, self.ASKED, self._requests, iter(incoming))
            return received, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def _reply(self, node: int) -> Message:
        workers = self.ASKED[node]
        random = np.random.default_rng(node)
        vectors = random.standard_normal((len(workers), self.n_coordinates)).astype(np.float32)
        rows = {w: self.codec.encode(v) for w, v in zip(workers, vectors, strict=True)}
        return wire.train_reply(self._requests[f"to {node}"], rows, ROUND)


def _request(node: int) -> Message:
    request = Message(RecordDict(), node, wire.TRAIN)
    request.metadata.__dict__["_message_id"] = f"to {node}"
    return request
