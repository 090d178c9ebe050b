"""What becomes of a reply on its way: one that is changed, and what the server should make of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from tests.simulation.answers import Answers
from tests.simulation.outcome import Outcome
from tests.simulation.scenario import Fault

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


def _of_another(arrived: Arrived, fault: Fault, answers: Answers) -> Arrived:
    if arrived.message.has_error():
        return arrived
    return Arrived(_with(arrived.message, src_node_id=99), Outcome.of("wrong-sender"))


def _rows(message: Message) -> Array | None:
    if message.has_error() or "updates" not in message.content:
        return None
    return message.content["updates"]["rows"]  # type: ignore[index]


def _carrying(message: Message, data: bytes) -> Message:
    array = _rows(message)
    assert array is not None
    changed = Array(array.dtype, array.shape, array.stype, data)
    content = RecordDict({**message.content, "updates": ArrayRecord({"rows": changed})})
    return Message(content, metadata=message.metadata)


def _flipped(arrived: Arrived, fault: Fault, answers: Answers) -> Arrived:
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


def _cut(arrived: Arrived, fault: Fault, answers: Answers) -> Arrived:
    array = _rows(arrived.message)
    if array is None:
        return arrived
    data = array.data[: int(fault.share * len(array.data))]
    return Arrived(_carrying(arrived.message, data), Outcome(frozenset(UNREADABLE), None))


def _renumbered(arrived: Arrived, fault: Fault, answers: Answers) -> Arrived:
    if arrived.message.has_error() or "workers" not in arrived.message.content:
        return arrived
    header = deepcopy(dict(arrived.message.content["workers"]))
    header["round"] = header["round"] + (1 if fault.share < 0.5 else -1)
    content = RecordDict({**arrived.message.content, "workers": ConfigRecord(header)})
    return Arrived(Message(content, metadata=arrived.message.metadata), Outcome.of("wrong-round"))


CHANGES: dict[str, Callable[[Arrived, Fault, Answers], Arrived]] = {
    "reply-flipped": _flipped, "reply-cut": _cut, "reply-renumbered": _renumbered,
    "reply-of-another": _of_another,
}  # fmt: skip
