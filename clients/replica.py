"""A node's own copy of the model: the node takes the server's steps itself.

A digest in each request shows whether node and server came out at the same model.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message

from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.server.optimizer import Descent, Step, model_sha256
from signfed.strategies.server.transport import wire

# Where the copy lies in context.state: its arrays, and the number of steps taken.
REPLICA, VERSION = "replica", "replica-version"


class CannotFollow(Exception):
    """Raised by a node without the model that the steps start from, or with another one after them.

    Attributes
    ----------
    held : int
        Version of the node's copy; -1 when it has none that can be used.
    """

    def __init__(self, held: int) -> None:
        super().__init__(held)
        self.held = held


def follow(request: Message, context: Context, step: Step) -> Descent:
    """Return the model of a request: the one in it, or the node's own after the steps in it.

    Parameters
    ----------
    request : Message
        A training request.
    context : Context
        The node's state, which is not changed.
    step : Step
        The optimizer's hyper-parameters, as the server has them.

    Raises
    ------
    CannotFollow
        When there is no copy to go on from, or its digest differs from the server's.
    """
    model, config = wire.read_train(request)
    version = cast(int, config["version"])
    if "directions" not in model:
        return _descent(model, version, step)
    if REPLICA not in context.state or VERSION not in context.state:
        raise CannotFollow(-1)
    replica = cast(ArrayRecord, context.state[REPLICA])
    held = cast(int, context.state[VERSION]["steps"])
    directions = wire.own_array(model["directions"])
    return replayed(_descent(replica, held, step), directions, version, str(config["digest"]))


def replayed(descent: Descent, directions: np.ndarray, version: int, expected: str) -> Descent:
    """Take the steps that lead to a version of the model.

    Parameters
    ----------
    descent : Descent
        The model that the node holds; it is changed.
    directions : ndarray, uint8 [k, ceil(N/8)]
        The packed steps before `version`, oldest first; those that were taken are left out.
    version : int
    expected : str
        Digest of that version.

    Returns
    -------
    Descent
        The same one, at that version.

    Raises
    ------
    CannotFollow
        When steps are missing, or the digest is another.
    """
    missing = version - descent.taken
    if not 0 <= missing <= len(directions):
        raise CannotFollow(descent.taken)
    parameters = descent.parameters
    for packed in directions[len(directions) - missing :]:
        direction = SignCodec().decode(packed, len(parameters))
        parameters = descent.take(torch.from_numpy(direction))
    if model_sha256(parameters.numpy()) != expected:
        raise CannotFollow(-1)
    return descent


def keep(descent: Descent, request: Message, context: Context) -> None:
    """Keep the model for the next round if the server will send steps; else forget it.

    Parameters
    ----------
    descent : Descent
        The model, after the steps of the request.
    request : Message
        A training request.
    context : Context
        The node's state, which is changed.
    """
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
