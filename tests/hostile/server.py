"""The server's side of one reply: everything that reads it, and the memory that this takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
from flwr.app import Message, RecordDict

from strategies.codecs import Codec
from strategies.transport import wire
from strategies.transport.intake import Intake, Received
from tests.grid import InProcessGrid

# Bytes that opening a reply may take for rows of up to 1,001 coordinates, whatever the reply
# holds: a header of 1 KB is parsed, a reply of up to 64 KB beyond the rows is serialized once.
BOUND = 1 << 20
NODE, WORKERS, ROUND = 100, (0, 1), 3


class Server:
    """An Intake that has bound one node with the workers 0 and 1, and has asked it in round 3."""

    def __init__(self, codec: Codec, n_coordinates: int) -> None:
        self.codec, self.n_coordinates = codec, n_coordinates
        self.intake = Intake(len(WORKERS), codec, n_coordinates)
        self.intake.gather(InProcessGrid(_says_hello, 1), timeout=1.0)
        self.request = Message(RecordDict(), NODE, wire.TRAIN)
        self.request.metadata.__dict__["_message_id"] = "the request"
        random = np.random.default_rng(0)
        rows = random.standard_normal((len(WORKERS), n_coordinates)).astype(np.float32)
        encoded = {worker: codec.encode(row) for worker, row in zip(WORKERS, rows, strict=True)}
        self.honest = wire.train_reply(self.request, encoded, ROUND)

    def reply(self, change: Callable[[dict], dict]) -> Message:
        """The honest reply with its records changed."""
        content = RecordDict(change(dict(self.honest.content)))
        return Message(content, metadata=self.honest.metadata)

    def open(self, *replies: Message) -> tuple[Received, int]:
        """What a round of these replies brings in, and the most bytes that were held for it."""
        requests = {"the request": self.request}
        tracemalloc.start()
        try:
            received = self.intake.open(ROUND, requests, iter(replies))
            return received, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def _says_hello(message: Message, context: object) -> Message:
    return wire.hello_reply(message, 0, 1)
