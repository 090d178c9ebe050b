"""What the process of one message and the warm worker say to one another.

Request: the message and the node's context. Reply: Flower's record of what is answered (or an
error), and the node's state after it. Each is one protobuf of Flower's behind its length.
"""

from __future__ import annotations

import struct
from io import BufferedRWPair

from flwr.app import Context, Error, Message, RecordDict
from flwr.common.serde import (
    context_from_proto,
    context_to_proto,
    message_from_proto,
    message_to_proto,
    recorddict_from_proto,
    recorddict_to_proto,
)
from flwr.proto.message_pb2 import Context as ProtoContext
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict

CLIENT_FAILED = 2  # Flower's code for an exception in a ClientApp
SPARE = 5.0  # seconds beyond a message's time to live after which its process gives up the worker
LENGTH = struct.Struct(">Q")


def failure(error: Exception) -> Error:
    """Return what the server is told of an exception.

    Examples
    --------
    >>> failure(OSError("no disk")).reason
    'OSError: no disk'
    """
    return Error(CLIENT_FAILED, f"{type(error).__name__}: {error}")


def send_request(stream: BufferedRWPair, message: Message, context: Context) -> None:
    """Write a message of the server's, with the node's context.

    Parameters
    ----------
    stream : BufferedRWPair
        To the worker.
    message : Message
        What the server asks.
    context : Context
        Of the node.
    """
    _send(
        stream,
        message_to_proto(message).SerializeToString(),
        context_to_proto(context).SerializeToString(),
    )


def read_request(stream: BufferedRWPair) -> tuple[Message, Context]:
    """Return what `send_request` wrote.

    Parameters
    ----------
    stream : BufferedRWPair
        From the process of the message.

    Raises
    ------
    EOFError
        When the stream ends before.
    """
    message = message_from_proto(ProtoMessage.FromString(_read(stream)))
    return message, context_from_proto(ProtoContext.FromString(_read(stream)))


def send_reply(stream: BufferedRWPair, reply: Message, state: RecordDict) -> None:
    """Write an answer, with the node's state after it.

    Parameters
    ----------
    stream : BufferedRWPair
        To the process of the message.
    reply : Message
        The answer.
    state : RecordDict
        Of the node's context.
    """
    _send(
        stream,
        message_to_proto(reply).SerializeToString(),
        recorddict_to_proto(state).SerializeToString(),
    )


def read_reply(stream: BufferedRWPair, message: Message) -> tuple[Message, RecordDict]:
    """Return the answer to a message and the node's state after it, as `send_reply` wrote them.

    Parameters
    ----------
    stream : BufferedRWPair
        From the worker.
    message : Message
        What was asked: the answer's metadata are made from it, as if it were answered here.

    Raises
    ------
    EOFError
        When the stream ends before.
    """
    reply = message_from_proto(ProtoMessage.FromString(_read(stream)))
    state = recorddict_from_proto(ProtoRecordDict.FromString(_read(stream)))
    if reply.has_error():
        return Message(reply.error, reply_to=message), state
    return Message(reply.content, reply_to=message), state


def _send(stream: BufferedRWPair, *parts: bytes) -> None:
    for part in parts:
        stream.write(LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def _read(stream: BufferedRWPair) -> bytes:
    length: int
    (length,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: BufferedRWPair, length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError(f"expected {length} bytes; got {len(found)}")
    return found
