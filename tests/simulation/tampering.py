"""What becomes of a reply on its way, and what the server should make of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from tests.simulation.outcome import Content, Outcome
from tests.simulation.scenario import Fault


class Judge(Protocol):
    """Says what a reply is worth whose rows are other bytes now."""

    def changed(self, content: Content, payload: bytes) -> Outcome: ...


UNREADABLE = ("malformed", "wrong-dtype", "wrong-shape")


@dataclass
class Arrived:
    """A reply that lies there, and what the server ought to make of it."""

    message: Message
    outcome: Outcome
    breaks: int = 0  # pulls that raise on its account


def unasked(reply: Message, fault: Fault) -> Message:
    """The reply once more, to a question that nobody asked."""
    return _with(reply, reply_to_message_id=f"unasked {fault.share}")


def _with(reply: Message, **metadata: object) -> Message:
    changed = copy(reply.metadata)
    changed.__dict__.update({f"_{name}": value for name, value in metadata.items()})
    if reply.has_error():
        return Message(reply.error, metadata=changed)
    return Message(reply.content, metadata=changed)


def _of_another(arrived: Arrived, fault: Fault, answers: Judge) -> Arrived:
    if arrived.message.has_error():
        return arrived
    return Arrived(_with(arrived.message, src_node_id=99), Outcome.of("wrong-sender"))


def _record(message: Message) -> tuple[str, ArrayRecord] | None:
    """The one record of arrays of a reply, by its name."""
    if message.has_error():
        return None
    return next(((n, r) for n, r in message.content.items() if isinstance(r, ArrayRecord)), None)


def _rows(message: Message) -> Array | None:
    found = _record(message)
    return next(iter(found[1].values())) if found else None


def _carrying(message: Message, data: bytes) -> Message:
    found = _record(message)
    assert found is not None
    name, record = found
    [(inner, array)] = record.items()
    changed = Array(array.dtype, array.shape, array.stype, data)
    content = RecordDict({**message.content, name: ArrayRecord({inner: changed})})
    return Message(content, metadata=message.metadata)


def _flipped(arrived: Arrived, fault: Fault, answers: Judge) -> Arrived:
    array = _rows(arrived.message)
    if array is None or arrived.outcome.content is None:
        return arrived
    data = bytearray(array.data)
    bit = int(fault.share * 8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    message = _carrying(arrived.message, bytes(data))
    start = len(data) - array_bytes(array)
    if bit // 8 < start:  # the header says something else, or the same otherwise
        return Arrived(message, Outcome(frozenset(UNREADABLE), arrived.outcome.content))
    return Arrived(message, answers.changed(arrived.outcome.content, bytes(data[start:])))


def array_bytes(array: Array) -> int:
    return int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize


def _cut(arrived: Arrived, fault: Fault, answers: Judge) -> Arrived:
    array = _rows(arrived.message)
    if array is None:
        return arrived
    data = array.data[: int(fault.share * len(array.data))]
    return Arrived(_carrying(arrived.message, data), Outcome(frozenset(UNREADABLE), None))


def _renumbered(arrived: Arrived, fault: Fault, answers: Judge) -> Arrived:
    if arrived.message.has_error() or "workers" not in arrived.message.content:
        return arrived
    header = deepcopy(dict(arrived.message.content["workers"]))
    header["round"] = header["round"] + (1 if fault.share < 0.5 else -1)
    content = RecordDict({**arrived.message.content, "workers": ConfigRecord(header)})
    return Arrived(Message(content, metadata=arrived.message.metadata), Outcome.of("wrong-round"))


CHANGES: dict[str, Callable[[Arrived, Fault, Judge], Arrived]] = {
    "reply-flipped": _flipped, "reply-cut": _cut, "reply-renumbered": _renumbered,
    "reply-of-another": _of_another,
}  # fmt: skip
