"""The ServerApp: Flower's quickstart with a strategy of one's own."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from my_strategy import task
from my_strategy.strategy import MyStrategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, evaluating on the server after each round, and print the last accuracy."""
    config = context.run_config
    num_rounds = int(config["num-server-rounds"])
    strategy = MyStrategy(radius=float(config["radius"]), fraction_evaluate=0.0)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(task.new_model().state_dict()),
        num_rounds=num_rounds,
        evaluate_fn=evaluate,
    )
    last = result.evaluate_metrics_serverapp[num_rounds]
    print(f"accuracy on the server's images: {last['accuracy']:.3f}")


def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    """Evaluate the model on images that no node has."""
    model = task.new_model()
    model.load_state_dict(arrays.to_torch_state_dict())
    loss, accuracy = task.test(model)
    return MetricRecord({"loss": loss, "accuracy": accuracy})
