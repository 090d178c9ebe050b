"""A message changes once what a mod remembers, however often it is delivered.

Flower may deliver a message twice, the second time after later ones. What a mod keeps would advance
as if a round had been worked on two times, or go back; so the mod keeps the ids of its last
messages, and the answer to the last one that moved its memory. A message is known by its id: a
strategy that is not signfed's need not say which round it is in.
"""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Error, Message, RecordDict

MOST = 64  # messages whose ids are kept; what comes again after as many others is worked on
REFUSED = 2  # Flower's code for what an exception in a ClientApp is answered with


def answered(message: Message, context: Context, mod: str) -> Message | None:
    """Return what a message gets that was answered before; None where it is to be worked on.

    The answer that is kept is given again. Where none is, the last message is worked on again, and
    an earlier one gets an error: its answer was given, and memory has gone on.

    Parameters
    ----------
    message : Message
    context : Context
        The node's.
    mod : str
        Under whose name ids and answer were kept.
    """
    state, place = context.state, f"{mod}-answered"
    if place not in state:
        return None
    this, seen = message.metadata.message_id, _seen(context, mod)
    if state[place]["answer"] != this:
        if this not in seen[:-1]:
            return None
        return Message(Error(REFUSED, "answered before, and later ones since"), reply_to=message)
    kept = f"{mod}-answer-"
    records = {name.removeprefix(kept): state[name] for name in state if name.startswith(kept)}
    return Message(RecordDict(records), reply_to=message)


def keep(message: Message, context: Context, mod: str, reply: Message | None = None) -> None:
    """Keep a message's id and, in place of the last one, its answer.

    Parameters
    ----------
    message : Message
    context : Context
        The node's, whose state is changed.
    mod : str
        Under whose name.
    reply : Message, optional
        The answer; without it the last one stays.
    """
    place, kept = f"{mod}-answered", f"{mod}-answer-"
    this, seen = message.metadata.message_id, _seen(context, mod)
    answer = str(context.state[place]["answer"]) if seen else ""
    if reply is not None:
        answer = this
        for name in [name for name in context.state if name.startswith(kept)]:
            del context.state[name]
        for name, record in reply.content.items():
            context.state[f"{kept}{name}"] = record
    seen = [*(m for m in seen if m != this), this][-MOST:]
    context.state[place] = ConfigRecord({"messages": seen, "answer": answer})


def _seen(context: Context, mod: str) -> list[str]:
    """The ids of the messages that were answered, the last one last."""
    record = context.state.get(f"{mod}-answered")
    return list(record["messages"]) if isinstance(record, ConfigRecord) else []  # type: ignore[arg-type]
