"""What a message weighs and what an error says, whatever a foreign one holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flwr.app import Array, Message
from flwr.common.serde import recorddict_to_proto

MAX_EXCUSE = 500  # characters of a client's error text that are logged
LARGE = 1 << 22  # bytes from which a message is only added up: its records are a thousandth of it


def size(message: Message, limit: float = LARGE) -> int:
    """Return the bytes of a message's content as protobuf; 0 for an error or what cannot be.

    Parameters
    ----------
    message : Message
        May hold anything.
    limit : float
        What weighs more is only added up, since serializing copies it: it takes as long as the rest
        of a large model's round, and is what the sender of a giant reply hopes for.
    """
    try:
        weight = _weight(message.content)
        return weight if weight > limit else recorddict_to_proto(message.content).ByteSize()
    except Exception:  # a foreign reply may hold anything
        return 0


def _weight(value: Any) -> int:
    """About the bytes of a record, or of what is in one, by its lengths; copies nothing."""
    if isinstance(value, Array):
        return len(value.data) + len(value.dtype) + len(value.stype) + 8 * len(value.shape)
    if isinstance(value, Mapping):
        return sum(len(name) + _weight(held) for name, held in value.items())
    if isinstance(value, list):  # Flower's lists are of one type
        texts = isinstance(next(iter(value), None), str | bytes)
        return 8 * len(value) + (sum(map(len, value)) if texts else 0)
    return len(value) if isinstance(value, str | bytes) else 8


def excuse(reply: Message) -> str:
    """Return what an error reply says, fit for a log: one line, printable, not endless."""
    said = (reply.error.reason or "")[:MAX_EXCUSE] if reply.has_error() else ""
    return "".join(c if c.isprintable() else " " for c in said)
