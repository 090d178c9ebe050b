"""The ClientApp, as for any strategy of Flower's."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from digits_pytorch import task

app = ClientApp()


def net_of(message: Message) -> task.Net:
    """The network with the weights that the server sent."""
    net = task.Net()
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    return net


def data_of(context: Context) -> tuple[task.TensorDataset, task.TensorDataset]:
    node = context.node_config
    return task.load_data(int(node["partition-id"]), int(node["num-partitions"]))


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train for some local epochs and reply with the whole state_dict."""
    net, (data, _) = net_of(message), data_of(context)
    config = context.run_config
    loss = task.train(
        net,
        data,
        epochs=int(config["local-epochs"]),
        batch_size=int(config["batch-size"]),
        lr=float(message.content["config"]["lr"]),
    )
    reply = {
        "arrays": ArrayRecord(net.state_dict()),
        "metrics": MetricRecord({"train_loss": loss, "num-examples": len(data)}),
    }
    return Message(RecordDict(reply), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the model on the images of this node that it does not train on."""
    _, data = data_of(context)
    loss, accuracy = task.test(net_of(message), data)
    metrics = {"eval_loss": loss, "eval_accuracy": accuracy, "num-examples": len(data)}
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)
