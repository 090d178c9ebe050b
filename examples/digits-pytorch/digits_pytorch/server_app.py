"""The ServerApp: Flower's quickstart with another strategy."""

from __future__ import annotations

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from signfed import SignGuardSim

from digits_pytorch import task

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, evaluating on the server after each round, and print the last accuracy."""
    config = context.run_config
    torch.manual_seed(0)
    strategy = SignGuardSim(fraction_evaluate=0.5)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(task.Net().state_dict()),
        num_rounds=int(config["num-server-rounds"]),
        train_config=ConfigRecord({"lr": float(config["learning-rate"])}),
        evaluate_fn=evaluate,
    )
    last = result.evaluate_metrics_serverapp[int(config["num-server-rounds"])]
    print(f"accuracy on the server's images: {last['accuracy']:.3f}")


def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    """Evaluate the model on images that no node has."""
    net = task.Net()
    net.load_state_dict(arrays.to_torch_state_dict())
    loss, accuracy = task.test(net, task.load_test_set())
    return MetricRecord({"loss": loss, "accuracy": accuracy})
