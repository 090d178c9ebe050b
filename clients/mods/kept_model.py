"""The model that a node keeps between the rounds of anyone's app, and the server's steps on it."""

from __future__ import annotations

from typing import cast

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context

from signfed.clients.replica import CannotFollow, replayed
from signfed.strategies.server.optimizer import Descent, Step
from signfed.strategies.server.transport import plain, wire
from signfed.strategies.server.transport.layout import Layout

__all__ = ["CannotFollow", "followed", "keep"]

MODEL, VERSION = "signfed-model", "signfed-model-version"  # in context.state


def followed(arrays: ArrayRecord, said: ConfigRecord, context: Context) -> ArrayRecord:
    """Return the model of a request: the one in it, or the node's own after the steps in it.

    Parameters
    ----------
    arrays : ArrayRecord
        Of the request, see `plain`.
    said : ConfigRecord
        What the server says of them.
    context : Context
        The node's state, which is not changed.

    Raises
    ------
    CannotFollow
        When there is no model to go on from, or its digest differs from the server's.
    """
    if plain.DIRECTIONS not in arrays:
        return arrays
    if MODEL not in context.state or VERSION not in context.state:
        raise CannotFollow(-1)
    mine = cast(ArrayRecord, context.state[MODEL])
    held = cast(int, context.state[VERSION]["steps"])
    layout = Layout(mine, cast(list[str], said["beside"]))
    step = Step(cast(float, said["lr"]))
    descent = replayed(
        Descent(step, torch.from_numpy(layout.flat(mine)), taken=held),
        wire.own_array(arrays[plain.DIRECTIONS]),
        cast(int, said["version"]),
        str(said["digest"]),
    )
    return layout.arrays(descent.parameters.numpy(), layout.values(arrays, beside=True))


def keep(model: ArrayRecord, version: int, context: Context) -> None:
    """Keep the model of the round, for the steps of the next one.

    Parameters
    ----------
    model : ArrayRecord
        All of its arrays.
    version : int
        Steps that the server has taken.
    context : Context
        The node's, which is changed.
    """
    context.state[MODEL] = model
    context.state[VERSION] = ConfigRecord({"steps": version})
