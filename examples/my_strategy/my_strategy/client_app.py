"""The ClientApp, as for any strategy of Flower's, and nodes of a simulation that attack."""

from __future__ import annotations

import signfed
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable

from my_strategy import task


def attackers(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Let the first nodes attack, as many as the run config says."""
    first = range(int(context.run_config["attackers"]))
    mod = signfed.byzantine("my_strategy.attack:opposite", partitions=first)
    return mod(message, context, call_next)


app = ClientApp(mods=[attackers])


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the digits of this node and reply with the whole model."""
    model, node = task.new_model(), context.node_config
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    count = task.train(model, int(node["partition-id"]), int(node["num-partitions"]))
    reply = {
        "arrays": ArrayRecord(model.state_dict()),
        "metrics": MetricRecord({"num-examples": count}),
    }
    return Message(RecordDict(reply), reply_to=message)
