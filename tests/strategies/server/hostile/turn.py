"""A hostile node's turn: what it was asked, what it would say, and ways to say something else."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from signfed.strategies.core.codecs import Codec, Float32Codec
from tests.grid import Tamper


@dataclass(frozen=True)
class Dialect:
    """Where the train replies of a protocol keep what they carry.

    arrays, key: the names of the record with the array, and of the array in it. beside: the name
    of the other record. codec, n_coordinates: what the array's rows are made of.
    """

    arrays: str
    key: str
    beside: str
    codec: Codec
    n_coordinates: int


def signfed(codec: Codec, n_coordinates: int) -> Dialect:
    """Rows of a codec [h, L], and whose they are."""
    return Dialect("updates", "rows", "workers", codec, n_coordinates)


def flower(n_coordinates: int) -> Dialect:
    """Flower's usual one: a model, float32 [N], and metrics with its number of examples."""
    return Dialect("arrays", "parameters", "metrics", Float32Codec(), n_coordinates)


@dataclass(frozen=True)
class Turn:
    """One request to a hostile node. A fault takes a turn and gives the messages that arrive.

    reply: what its app, which is honest, answered. earlier: its first answer of this run.
    """

    request: Message
    reply: Message
    earlier: Message
    dialect: Dialect

    @property
    def rows(self) -> np.ndarray:
        """A copy of the honest array."""
        return self.reply.content[self.dialect.arrays][self.dialect.key].numpy().copy()

    @property
    def beside(self) -> ConfigRecord | MetricRecord:
        return self.reply.content[self.dialect.beside]

    def says(self, records: dict) -> Message:
        """The reply with other records."""
        return Message(RecordDict(records), metadata=self.reply.metadata)

    def carries(self, array: np.ndarray | Array) -> Message:
        """The reply with another array; what lies beside it in its record stays."""
        array = array if isinstance(array, Array) else Array(array)
        record = ArrayRecord({**self.reply.content[self.dialect.arrays], self.dialect.key: array})
        return self.says({**self.reply.content, self.dialect.arrays: record})

    def claims(self, **fields: object) -> Message:
        """The reply with other fields in the record beside the array."""
        record = type(self.beside)({**self.beside, **fields})
        return self.says({**self.reply.content, self.dialect.beside: record})

    def bears(self, data: bytes) -> Message:
        """The reply with an array whose own fields promise what is expected, whatever it holds."""
        rows = self.rows
        return self.carries(Array(str(rows.dtype), rows.shape, "numpy.ndarray", data))


Fault = Callable[[Turn], list[Message]]


def hostile(dialect: Dialect, fault_of: Callable[[int], Fault | None]) -> Tamper:
    """A node whose reply of round t = 1, 2, ... goes through `fault_of(t)`; honest at None.

    What is not a train reply with an array passes as it is: a word on the replica, an error.
    """
    honest: list[Message] = []

    def tamper(request: Message, reply: Message) -> list[Message]:
        if reply.has_error() or dialect.arrays not in reply.content:
            return [reply]
        honest.append(Message(deepcopy(reply.content), metadata=reply.metadata))
        said = reply.content[dialect.beside]
        fault = fault_of(said["round"] if "round" in said else len(honest))
        return fault(Turn(request, reply, honest[0], dialect)) if fault else [reply]

    return tamper


def silence(turn: Turn) -> list[Message]:
    return []
