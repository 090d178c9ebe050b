"""What a node keeps from one message to the next: its workers' memories, and its last answer.

A request may be delivered twice, and one that was held up after a later one. Momentum and error
memory advance once a round, so a node answers each round once: the same request gets the same
answer again, and one of a round that is over is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import getLogger
from typing import cast

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict

from signfed.clients import Memory
from signfed.strategies.server.transport import wire

log = getLogger("signfed")

# Where the last answer lies in context.state: its round, and what it held.
ROUND, ANSWER = "answered", "answer-"


def recall(context: Context, worker: int) -> Memory:
    """Return what a worker remembers.

    Parameters
    ----------
    context : Context
        The node's state.
    worker : int
        Its id.

    Returns
    -------
    dict
        Arrays by name, float32 [N] each; empty before its first round.
    """
    record = cast(ArrayRecord, context.state.get(f"worker-{worker}", ArrayRecord()))
    return {name: wire.own_array(array).copy() for name, array in record.items()}


def answered(message: Message, context: Context, server_round: int) -> Message | None:
    """Return the answer to this round's request, where the node has given one that counts.

    Parameters
    ----------
    message : Message
        A training request.
    context : Context
        The node's state.
    server_round : int
        The round that the request is about.

    Returns
    -------
    Message or None
        None for a round that is new, and for one whose answer can be computed again, since no
        worker remembers anything.

    Raises
    ------
    ValueError
        When the node has answered a later round.
    """
    if ROUND not in context.state:
        return None
    last = cast(int, context.state[ROUND]["round"])
    if server_round < last:
        raise ValueError(
            f"round {server_round}: expected a request of round {last} or later, which this node "
            "has answered; this one was held up on the way"
        )
    kept = {n.removeprefix(ANSWER): r for n, r in context.state.items() if n.startswith(ANSWER)}
    if server_round > last or not kept:
        return None
    return Message(RecordDict(kept), reply_to=message)


def remember(
    context: Context, memories: Mapping[int, Memory], reply: Message, server_round: int
) -> None:
    """Keep what the workers remember after a round and, if they do, what was answered.

    A node that was started again in the middle of a run has nothing left of it, and says so.

    Parameters
    ----------
    context : Context
        The node's state, which is changed.
    memories : mapping
        By worker.
    reply : Message
        The answer.
    server_round : int
        The round that it is about.
    """
    if any(memories.values()) and server_round > 1 and ROUND not in context.state:
        log.warning(
            "round %d: this node has answered no round of the run yet, or was started again since: "
            "what its workers remember (momentum, errors) begins here", server_round,
        )  # fmt: skip
    for name in [n for n in context.state if n.startswith(ANSWER)]:
        del context.state[name]
    context.state[ROUND] = ConfigRecord({"round": server_round})
    for worker, memory in memories.items():
        if memory:
            arrays = {name: Array(value) for name, value in memory.items()}
            context.state[f"worker-{worker}"] = ArrayRecord(arrays)
    if any(memories.values()):
        for name, record in reply.content.items():
            context.state[f"{ANSWER}{name}"] = record
