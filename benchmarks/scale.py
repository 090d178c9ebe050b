"""How the cost of a round grows with workers, parameters and rounds, in the local engine.

The gradient of ||x||^2 / 2 costs next to nothing, so what is measured is everything else.
python -m benchmarks.scale [--rules sign-mv sign-fd median multi-krum] [--out FILE]
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.common import report
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.task.problem import Asked
from signfed.clients import Poison
from signfed.strategies.server.record import RoundRecord

BASE = {"workers": 15, "parameters": 100_000, "rounds": 20}
SWEEPS = {
    "workers": (15, 50, 150, 500),
    "parameters": (10_000, 100_000, 1_000_000),
    "rounds": (20, 200, 2000),
}


class Bowl:
    """||x||^2 / 2 in any number of dimensions; a worker's gradient is x and a shift of its own."""

    device = torch.device("cpu")
    num_classes = sides = None
    edges = ()
    tested = True

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self.way = {"way": "loop", "because": "no network"}

    def initial(self) -> torch.Tensor:
        draws = np.random.default_rng(0)
        return torch.from_numpy(draws.standard_normal(self._dimensions, dtype=np.float32))

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, poison: Poison | None = None
    ) -> np.ndarray:
        return np.roll(parameters, worker)

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return parameters

    def reference(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        return parameters

    def batched(self, asked: Asked) -> None:
        return None

    def evaluate(self, parameters: torch.Tensor, trigger: object = None) -> dict[str, float]:
        return {"test_loss": float(parameters.double().square().sum() / 2)}


def measure(rule: str, what: str, workers: int, parameters: int, rounds: int) -> dict[str, Any]:
    """Median seconds of the last ten rounds."""
    config = parse({
        "task": "quadratic", "strategy": rule, "num-workers": workers, "num-rounds": rounds,
        "num-byzantine": workers // 5, "evaluate-every": rounds, "batch-size": 1,
    })  # fmt: skip
    records: list[RoundRecord] = []
    bowl = Bowl(parameters)
    local_engine(
        Run(config, build_strategy(config), bowl, None, lambda r, state: records.append(r))
    )
    last = [r.seconds for r in records[-11:-1]]
    server = median(s["server"] for s in last)
    clients = median(s["clients"] for s in last)
    return {
        "rule": rule, "grows": what, "workers": workers, "parameters": parameters,
        "rounds": rounds, "server ms": 1e3 * server, "clients ms": 1e3 * clients,
        "server ns per worker and parameter": 1e9 * server / workers / parameters,
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rules", nargs="+", default=["sign-mv", "sign-fd", "median", "multi-krum"]
    )
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    table = [
        measure(rule, what, **(BASE | {what: value}))
        for rule in given.rules
        for what, values in SWEEPS.items()
        for value in values
    ]
    report("a round of the local engine, quadratic; medians of the last rounds", table, given.out)


if __name__ == "__main__":
    main()
