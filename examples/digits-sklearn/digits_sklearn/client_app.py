"""The ClientApp, as for any strategy of Flower's."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from digits_sklearn import task

app = ClientApp()


def data_of(context: Context) -> tuple[np.ndarray, np.ndarray]:
    node = context.node_config
    return task.load_data(int(node["partition-id"]), int(node["num-partitions"]))


@app.train()
def train(message: Message, context: Context) -> Message:
    """Go on from the server's arrays for some passes over the data of this node."""
    arrays = message.content["arrays"].to_numpy_ndarrays()
    model = task.model_of(arrays, epochs=int(context.run_config["local-epochs"]))
    images, labels = data_of(context)
    loss = task.train(model, images, labels)
    reply = {
        "arrays": ArrayRecord(task.arrays_of(model)),
        "metrics": MetricRecord({"train_loss": loss, "num-examples": len(labels)}),
    }
    return Message(RecordDict(reply), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the model on the data of this node."""
    model = task.model_of(message.content["arrays"].to_numpy_ndarrays())
    images, labels = data_of(context)
    metrics = {
        "eval_loss": task.loss_of(model, images, labels),
        "eval_accuracy": float(model.score(images, labels)),
        "num-examples": len(labels),
    }
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)
