"""A message is answered once by a mod that remembers: delivered again, it changes nothing.

Flower may deliver a message twice, the second time after later ones. What a mod keeps would advance
as if a round had been worked on two times; so the mod keeps its last answer beside its memory, and
the ids of the messages before it. Messages are told apart by their id: a strategy that is not
signfed's need not say which round it is in.
"""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Error, Message, RecordDict

MOST = 16  # messages whose ids are kept; by then the first of them has expired
REFUSED = 2  # Flower's code for what an exception in a ClientApp is answered with


def answered(message: Message, context: Context, mod: str) -> Message | None:
    """Return what was answered to this very message; None to another one.

    Of the last message it is the answer, of an earlier one an error: its answer was given.

    Parameters
    ----------
    message : Message
    context : Context
        The node's.
    mod : str
        Under whose name the answer was kept.
    """
    state, seen = context.state, _seen(context, mod)
    if message.metadata.message_id not in seen:
        return None
    if message.metadata.message_id != seen[-1]:
        return Message(Error(REFUSED, "answered before, and later ones since"), reply_to=message)
    kept = f"{mod}-answer-"
    records = {name.removeprefix(kept): state[name] for name in state if name.startswith(kept)}
    return Message(RecordDict(records), reply_to=message)


def keep(message: Message, context: Context, mod: str, reply: Message) -> None:
    """Keep an answer, in place of the last one.

    Parameters
    ----------
    message : Message
    context : Context
        The node's, whose state is changed.
    mod : str
        Under whose name.
    reply : Message
    """
    kept = f"{mod}-answer-"
    for name in [name for name in context.state if name.startswith(kept)]:
        del context.state[name]
    seen = [*_seen(context, mod), message.metadata.message_id][-MOST:]
    context.state[f"{mod}-answered"] = ConfigRecord({"messages": seen})
    for name, record in reply.content.items():
        context.state[f"{kept}{name}"] = record


def _seen(context: Context, mod: str) -> list[str]:
    """The ids of the messages that were answered, the last one last."""
    record = context.state.get(f"{mod}-answered")
    return list(record["messages"]) if isinstance(record, ConfigRecord) else []  # type: ignore[arg-type]
