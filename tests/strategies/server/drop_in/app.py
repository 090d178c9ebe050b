"""Somebody's Flower app: a model of several arrays, a ClientApp that knows nothing of signfed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from tests.grid import InProcessGrid, Tamper

# (the model by name, partition id, server_round) -> what the node makes of it
Train = Callable[[dict[str, np.ndarray], int, int], dict[str, np.ndarray]]


def model() -> ArrayRecord:
    """A layer, its running statistics, a half-precision layer, a scalar, and a counter."""
    draws = np.random.default_rng(7)
    return ArrayRecord(
        {
            "layer.weight": Array(draws.standard_normal((3, 5)).astype(np.float32)),
            "bn.running_mean": Array(np.zeros(3, np.float32)),
            "bn.running_var": Array(np.ones(3, np.float32)),
            "bn.num_batches_tracked": Array(np.array(0)),
            "head": Array(draws.standard_normal((2, 3)).astype(np.float16)),
            "bias": Array(np.array(0.5, np.float64)),
        }
    )


def floats() -> ArrayRecord:
    """A model that travels without rounding: float32 alone."""
    draws = np.random.default_rng(8)
    shapes = {"a": (4, 3), "b": (5,)}
    return ArrayRecord(
        {n: Array(draws.standard_normal(s).astype(np.float32)) for n, s in shapes.items()}
    )


def moved(
    arrays: dict[str, np.ndarray], partition: int, server_round: int
) -> dict[str, np.ndarray]:
    """Every float moves by noise of its own node and round, about 0.3 down; counters go on."""
    draws = np.random.default_rng([partition, server_round])
    return {
        name: values + 3
        if name.endswith("tracked")  # by name: FedAvg makes floats of integers
        else np.asarray(values - 0.3 - 0.2 * draws.standard_normal(values.shape), values.dtype)
        for name, values in arrays.items()
    }


def client(train: Train = moved, mods: list | None = None, examples: int = 10) -> ClientApp:
    """Two plain handlers; losses and accuracies differ from node to node."""
    app = ClientApp(mods=mods)

    @app.train()
    def on_train(message, context):
        partition = int(context.node_config["partition-id"])
        before = {n: a.numpy() for n, a in message.content["arrays"].items()}
        after = train(before, partition, message.content["config"]["server-round"])
        metrics = {"num-examples": examples, "train_loss": float(partition)}
        content = {
            "arrays": ArrayRecord({n: Array(np.asarray(v)) for n, v in after.items()}),
            "metrics": MetricRecord(metrics),
        }
        return Message(RecordDict(content), reply_to=message)

    @app.evaluate()
    def on_evaluate(message, context):
        whole = sum(float(np.sum(a.numpy())) for a in message.content["arrays"].values())
        metrics = {"num-examples": examples, "sum": whole}
        return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)

    return app


def grid(
    nodes: int, app: ClientApp | None = None, tamper: Mapping[int, Tamper] | None = None
) -> InProcessGrid:
    return InProcessGrid(app or client(), nodes, tamper=tamper)


def values(arrays: ArrayRecord) -> dict[str, np.ndarray]:
    return {name: array.numpy() for name, array in arrays.items()}


def same(one: ArrayRecord, other: ArrayRecord) -> bool:
    """Whether two models are equal to the last bit, names and dtypes included."""
    left, right = values(one), values(other)
    return list(left) == list(right) and all(
        left[n].dtype == right[n].dtype and left[n].tobytes() == right[n].tobytes() for n in left
    )
