"""Test accuracy of rules under attacks on digits, 15 workers: python -m benchmarks.attacked

Mean and, in brackets, the lowest of the seeds. lr 0.001 where the direction is a sign vector, 0.1
where it is a gradient. "server alone" takes no notice of the workers: it steps along the sign of
the server's own gradient, and is what a rule with a reference has to beat.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from benchmarks.common import report
from signfed.app.config.pairs import read_pairs
from signfed.app.config.usual import usual_keys
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.runs.folder import read_summary
from signfed.strategies.core.updates import Updates
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.strategy import RobustStrategy

ALONE = "server alone"


class ServerAlone(RobustStrategy):
    """The signs of the server's own gradient, whatever the workers send."""

    needs_reference = True

    def aggregate(self, updates: Updates) -> Tensor:
        return torch.where(updates.needed_reference() >= 0, 1.0, -1.0)


def config_of(rule: str, attack: str, f: int, given: argparse.Namespace) -> dict[str, object]:
    """The run config of a cell, but for its seed."""
    alone = rule == ALONE
    usual = usual_keys(ServerAlone if alone else STRATEGIES[rule])
    if "server-samples" in usual:
        usual["server-samples"] = given.server_samples
    return usual | read_pairs("--config", given.config) | {
        "strategy": "benchmarks.attacked:ServerAlone" if alone else rule,
        "lr": usual["lr"],
        "attack": attack, "num-byzantine": f, "num-rounds": given.rounds,
        "evaluate-every": given.rounds, "device": "cpu",
    }  # fmt: skip


def accuracy(config: dict[str, object]) -> float:
    """Test accuracy after the last round of one run."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = execute(prepare(config | {"out-dir": folder}), local_engine)
        return read_summary(Path(path))["final_test_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="+", choices=[*STRATEGIES, ALONE], required=True)
    parser.add_argument("--attacks", nargs="+", default=["sign-inversion", "lie", "min-max"])
    parser.add_argument("--f", type=int, nargs="+", default=[3, 6])
    parser.add_argument("--config", default="", help="keys of all runs, \"partition='labels'\"")
    parser.add_argument("--server-samples", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    cells = [("none", 0), *((attack, f) for attack in given.attacks for f in given.f)]
    started = time.monotonic()
    jobs = [
        config_of(rule, attack, f, given) | {"seed": seed}
        for rule in given.rules for attack, f in cells for seed in range(given.seeds)
    ]  # fmt: skip
    with ProcessPoolExecutor(given.processes) as pool:
        found = list(track(pool.map(accuracy, jobs), total=len(jobs)))
    by_cell = torch.tensor(found).reshape(len(given.rules), len(cells), given.seeds)
    table = [
        {"rule": rule}
        | {
            f"{attack} {f}" if f else attack: f"{of_seeds.mean():.3f} ({of_seeds.min():.3f})"
            for (attack, f), of_seeds in zip(cells, of_rule, strict=True)
        }
        for rule, of_rule in zip(given.rules, by_cell, strict=True)
    ]
    report(
        f"digits, 15 workers, {given.rounds} rounds, {given.seeds} seeds, {given.config} "
        f"{given.server_samples} samples of the server's; {time.monotonic() - started:.0f} s",
        table, given.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()
