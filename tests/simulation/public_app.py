"""A public app's nodes: Flower's usual handlers, and what they should say."""

from __future__ import annotations

from functools import cache

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

import signfed
from tests.simulation.seams import DIMENSIONS, noise

MODS = {
    "": [],
    "one-bit": [signfed.one_bit],
    "both": [signfed.one_bit_both],
    "feedback": [signfed.OneBit(feedback=True)],
    "both-feedback": [signfed.OneBit(both=True, feedback=True)],
}


@cache
def app_with(mod: str) -> ClientApp:
    """The app, with one of our mods by its name above."""
    app = ClientApp(mods=MODS[mod])
    app.train()(train)
    app.evaluate()(evaluate)
    return app


def train(message: Message, context: Context) -> Message:
    """A step of its own, on the model that came."""
    x, partition, server_round = _read(message, context)
    y = trained(x, partition, server_round)
    return _reply(message, loss_of(x, partition), arrays=ArrayRecord({"w": Array(y)}))


def evaluate(message: Message, context: Context) -> Message:
    """What the model that came is worth."""
    x, partition, _ = _read(message, context)
    return _reply(message, loss_of(x, partition))


def trained(x: np.ndarray, partition: int, server_round: int) -> np.ndarray:
    """What a node makes of a model."""
    step = np.float32(0.1) * (x + noise(partition, "drop-in", 1.0, DIMENSIONS, server_round))
    return (x - step).astype(np.float32)


def loss_of(x: np.ndarray, partition: int) -> float:
    """What a node says that a model is worth."""
    return float(np.sum(x, dtype=np.float64)) + partition


def middle(claims: list[float]) -> dict[str, float]:
    """The median of what nodes say, of what is finite; NaN where nothing is."""
    finite = [value for value in claims if np.isfinite(value)]
    return {"loss": float(np.median(finite)) if finite else float("nan")}


def _read(message: Message, context: Context) -> tuple[np.ndarray, int, int]:
    x = message.content["arrays"]["w"].numpy()
    server_round = int(message.content["config"]["server-round"])
    return x, int(context.node_config["partition-id"]), server_round


def _reply(message: Message, loss: float, **more: ArrayRecord) -> Message:
    said = MetricRecord({"num-examples": 9, "loss": loss})
    return Message(RecordDict({**more, "metrics": said}), reply_to=message)
