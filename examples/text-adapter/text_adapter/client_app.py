"""The ClientApp, as for any strategy of Flower's."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor

from text_adapter import task
from text_adapter.model import TextModel, adapter_of

app = ClientApp()


def model_of(message: Message) -> TextModel:
    """The base model with the adapter that the server sent."""
    model = task.base_model()
    adapter = message.content["arrays"].to_torch_state_dict()
    model.load_state_dict(adapter, strict=False)  # the rest of the model did not travel
    return model


def text_of(context: Context) -> Tensor:
    node = context.node_config
    return task.load_data(int(node["partition-id"]), int(node["num-partitions"]))


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the adapter for some local steps and reply with it alone."""
    model, text = model_of(message), text_of(context)
    loss = task.train(
        model,
        text,
        steps=int(context.run_config["local-steps"]),
        lr=float(context.run_config["learning-rate"]),
        seed=int(message.content["config"]["server-round"]),
    )
    reply = {
        "arrays": ArrayRecord(adapter_of(model)),
        "metrics": MetricRecord({"train_loss": loss, "num-examples": len(text)}),
    }
    return Message(RecordDict(reply), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the model on the first part of this node's text."""
    text = text_of(context)[:10_000]
    loss, accuracy = task.test(model_of(message), text)
    metrics = {"eval_loss": loss, "eval_accuracy": accuracy, "num-examples": len(text)}
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)
