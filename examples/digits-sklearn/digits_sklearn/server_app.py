"""The ServerApp: logistic regression from zero, with another strategy than FedAvg."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from signfed import CoordinateMedian

from digits_sklearn import task

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, evaluating on the server after each round, and print the last accuracy."""
    num_rounds = int(context.run_config["num-server-rounds"])
    strategy = CoordinateMedian()
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(task.initial_arrays()),
        num_rounds=num_rounds,
        evaluate_fn=evaluate,
    )
    last = result.evaluate_metrics_serverapp[num_rounds]
    print(f"accuracy on the server's images: {last['accuracy']:.3f}")


def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    """Evaluate the model on images that no node has."""
    model = task.model_of(arrays.to_numpy_ndarrays())
    images, labels = task.load_test_set()
    metrics = {
        "loss": task.loss_of(model, images, labels),
        "accuracy": float(model.score(images, labels)),
    }
    return MetricRecord(metrics)
