"""A message is answered once by a mod that remembers: delivered again, it gets the same answer.

Flower may deliver a message twice. What a mod keeps would advance twice, as if a round had been
worked on two times; so the mod keeps its last answer beside its memory. Messages are told apart by
their id: a strategy that is not signfed's need not say which round it is in.
"""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Message, RecordDict


def answered(message: Message, context: Context, mod: str) -> Message | None:
    """Return what was answered to this very message; None to another one.

    Parameters
    ----------
    message : Message
    context : Context
        The node's.
    mod : str
        Under whose name the answer was kept.
    """
    state, last = context.state, f"{mod}-answered"
    if last not in state or state[last]["message"] != message.metadata.message_id:
        return None
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
    context.state[f"{mod}-answered"] = ConfigRecord({"message": message.metadata.message_id})
    for name, record in reply.content.items():
        context.state[f"{kept}{name}"] = record
