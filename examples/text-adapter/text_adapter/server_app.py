"""The ServerApp: the initial arrays are those of the adapter, not of the model."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from signfed import GeometricMedian

from text_adapter import task
from text_adapter.model import adapter_of

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, evaluating on the server after each round, and print the last loss."""
    num_rounds = int(context.run_config["num-server-rounds"])
    strategy = GeometricMedian(fraction_evaluate=0.0)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(adapter_of(task.base_model())),
        num_rounds=num_rounds,
        evaluate_fn=evaluate,
    )
    before, after = (result.evaluate_metrics_serverapp[t]["loss"] for t in (0, num_rounds))
    print(f"loss on the server's text: {before:.3f} before, {after:.3f} after")


def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    """Evaluate the model on text that no node has."""
    model = task.base_model()
    model.load_state_dict(arrays.to_torch_state_dict(), strict=False)
    loss, accuracy = task.test(model, task.load_test_set())
    return MetricRecord({"loss": loss, "accuracy": accuracy})
