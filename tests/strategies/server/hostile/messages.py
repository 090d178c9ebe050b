"""Faults of the message as a whole: errors, other senders, two replies, old ones, none."""

from __future__ import annotations

from copy import copy, deepcopy

from flwr.app import Error, Message

from tests.strategies.server.hostile.turn import Turn, silence


def _from(turn: Turn, **metadata: object) -> Message:
    """The reply with other metadata, as a runtime that does not check it could deliver it."""
    changed = copy(turn.reply.metadata)
    changed.__dict__.update({f"_{name}": value for name, value in metadata.items()})
    return Message(turn.reply.content, metadata=changed)


def _error(turn: Turn, code: int, text: str) -> Message:
    return Message(Error(code, text), reply_to=turn.request)


def _again(turn: Turn) -> Message:
    """The reply a second time, nothing shared."""
    return Message(deepcopy(turn.reply.content), metadata=turn.reply.metadata)


def _old_row(turn: Turn) -> Message:
    return turn.carries(turn.earlier.content[turn.dialect.arrays][turn.dialect.key])


COMMON = {
    "an error": (lambda t: [_error(t, 2, "boom")], "error"),
    "an error with a megabyte of control characters": (
        lambda t: [_error(t, -1, "\x1b[2J\n" * 200_000)],
        "error",
    ),
    "silence": (silence, "no-reply"),
    "a reply of an old round": (
        lambda t: [Message(deepcopy(t.earlier.content), metadata=t.reply.metadata)],
        "wrong-round",
    ),
    "an old row in a reply of this round": (lambda t: [_old_row(t)], "valid"),
}

# What Flower's SuperLink refuses to store; an own Grid may let it pass.
REFUSED_BY_FLOWER = {
    "another sender": (lambda t: [_from(t, src_node_id=100)], "wrong-sender"),
    "an answer to no question": (lambda t: [_from(t, reply_to_message_id="0" * 32)], "no-reply"),
    "a broken reply, then a right one": (lambda t: [t.says({}), t.reply], "malformed"),
    "a right reply, then a broken one": (lambda t: [t.reply, t.says({})], "honest"),
    "the same reply twice": (lambda t: [t.reply, _again(t)], "honest"),
}
