"""What Flower starts on a node. PyTorch is imported by whoever computes, not here."""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from signfed.app.node import warm
from signfed.app.node.frames import failure

app = ClientApp()


@app.query("hello")
@app.train()
def answer(message: Message, context: Context) -> Message:
    """Answer the server, by the node's warm worker or in this process.

    An exception becomes an error reply: silence would hang the server.

    Parameters
    ----------
    message : Message
        What the server asks.
    context : Context
        Run config and node config; the state is what the node keeps from one message to the next.

    Returns
    -------
    Message
        Always.
    """
    try:
        return warm.answer(message, context) or _here(message, context)
    except Exception as error:
        return Message(failure(error), reply_to=message)


def _here(message: Message, context: Context) -> Message:
    from signfed.app.node import answers  # seconds, where PyTorch was not imported before

    return answers.answer(message, context)
