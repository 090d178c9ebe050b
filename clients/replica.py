"""A node's copy of the model: it takes the server's steps itself, and proves that it may."""

from __future__ import annotations

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message

from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.server.optimizer import Descent, Step
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.downlink import digest

REPLICA, VERSION = "replica", "replica-version"  # in context.state: its arrays, the steps taken


class CannotFollow(Exception):
    """The node lacks the model that the steps start from, or came out at another one.

    held: the version that it has, -1 for none.
    """

    def __init__(self, held: int) -> None:
        super().__init__(held)
        self.held = held


def follow(request: Message, context: Context, step: Step) -> Descent:
    """The model that a request is about: the one in it, or the node's own after the steps in it.

    step: the optimizer's hyper-parameters, as the server has them.
    Raises CannotFollow when the digests differ, or there is nothing to go on from.
    """
    model, config = wire.read_train(request)
    version = int(config["version"])
    if "directions" not in model:
        return _descent(model, version, step)
    if REPLICA not in context.state or VERSION not in context.state:
        raise CannotFollow(-1)
    replica, held = context.state[REPLICA], int(context.state[VERSION]["steps"])
    directions = wire.own_array(model["directions"])
    if not 0 <= version - held <= len(directions):
        raise CannotFollow(held)
    descent = _descent(replica, held, step)
    parameters = descent.parameters
    for packed in directions[len(directions) - (version - held) :]:
        direction = SignCodec().decode(packed, len(parameters))
        parameters = descent.take(torch.from_numpy(direction))
    if digest(parameters) != config["digest"]:
        raise CannotFollow(-1)
    return descent


def keep(descent: Descent, request: Message, context: Context) -> None:
    """Leave the model for the next round, if the server will send steps."""
    _, config = wire.read_train(request)
    if not config["keep"]:
        for name in (REPLICA, VERSION):
            context.state.pop(name, None)
        return
    arrays = {"parameters": descent.parameters}
    if descent.momentum is not None:
        arrays["momentum"] = descent.momentum
    context.state[REPLICA] = ArrayRecord({name: Array(t.numpy()) for name, t in arrays.items()})
    context.state[VERSION] = ConfigRecord({"steps": descent.taken})


def _descent(record: ArrayRecord, version: int, step: Step) -> Descent:
    tensors = {name: torch.tensor(wire.own_array(array)) for name, array in record.items()}
    return Descent(step, tensors["parameters"], tensors.get("momentum"), version)
