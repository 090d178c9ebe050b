"""Flower's own strategies on a task of ours: its usual protocol, on the in-process Grid."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Bulyan, FedAvg, FedMedian, FedTrimmedAvg, Krum, Strategy

from signfed.app.task import Problem
from tests.grid import InProcessGrid, Tamper

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "FedAvg": FedAvg,
    "FedMedian": FedMedian,
    "FedTrimmedAvg": FedTrimmedAvg,  # cuts a fifth at both ends
    "Krum": lambda **keys: Krum(num_malicious_nodes=1, **keys),
    "Bulyan": lambda **keys: Bulyan(num_malicious_nodes=1, **keys),
}


def client(problem: Problem, lr: float, num_examples: int) -> ClientApp:
    """One worker a node; it answers a model with the model after one step of gradient descent."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        parameters = message.content["arrays"]["parameters"].numpy()
        worker = int(context.node_config["partition-id"])
        server_round = int(message.content["config"]["server-round"])
        gradient = problem.gradient(parameters, worker, server_round)
        after = parameters - np.float32(lr) * gradient
        content = {
            "arrays": ArrayRecord({"parameters": Array(after)}),
            "metrics": MetricRecord({"num-examples": num_examples}),
        }
        return Message(RecordDict(content), reply_to=message)

    return app


def train(
    name: str, app: ClientApp, problem: Problem, nodes: int, rounds: int,
    tamper: Mapping[int, Tamper],
) -> np.ndarray:  # fmt: skip
    """The parameters after all rounds, float [N]. Raises what the strategy raises.

    Flower draws the order of the nodes from Python's global generator: it is seeded.
    """
    random.seed(0)
    strategy = STRATEGIES[name](
        fraction_evaluate=0.0, min_train_nodes=2, min_available_nodes=nodes
    )  # fmt: skip
    initial = ArrayRecord({"parameters": Array(problem.initial().numpy())})
    grid = InProcessGrid(app, nodes, tamper=tamper)
    result = strategy.start(grid, initial, rounds, train_config=ConfigRecord())
    return result.arrays["parameters"].numpy()
