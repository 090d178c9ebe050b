"""Test accuracy of every rule on digits, without attack and with 3 of 15 workers inverting.

Whole runs through Flower's Message API on an in-process Grid: python -m benchmarks.every_rule
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

from benchmarks.common import report
from signfed.app.client_app import app as client_app
from signfed.app.config.usual import usual_keys
from signfed.app.runs.folder import read_summary
from signfed.app.server_app import run
from signfed.strategies.registry import STRATEGIES
from tests.grid import InProcessGrid

ATTACKS = ("none", "sign-inversion")
BYZANTINE = 3


def settings() -> list[dict[str, object]]:
    """The config of each row, besides attack, rounds and seed."""
    rows: list[dict[str, object]] = [{"strategy": name} for name in STRATEGIES]
    rows += [{"strategy": "sign-fd", "sign-fd.estimator": e} for e in ("pooled", "alg1", "eq17")]
    rows += [{"strategy": "election", "election.code": "bernoulli"}]
    rows += [{"strategy": "sign-mv", "encoder": e} for e in ("sto-sign", "noisy-sign")]
    rows += [{"strategy": "sign-mv", "worker-momentum": 0.9}]
    rows += [{"strategy": name, "encoder": "top-k"} for name in ("mean", "median")]
    rows += [{"strategy": "centered-clipping", "centered-clipping.radius": 0.3}]
    rows += [
        {"strategy": name, "pre-aggregation": mixer}
        for name in ("median", "krum")
        for mixer in ("bucketing", "nnm")
        if (name, mixer) != ("krum", "bucketing")  # 8 buckets, 3 of them bad: not admissible
    ]
    clipped = {"clipping.threshold": 0.5}  # gradients are 0.35 to 0.6 long here
    rows += [{"strategy": "mean", "pre-aggregation": "clipping"} | clipped]
    rows += [{"strategy": "mean", "pre-aggregation": "arc"}]
    rows += [{"strategy": "trimmed-mean", "pre-aggregation": "clipping,nnm"} | clipped]
    for row in rows:
        row |= usual_keys(STRATEGIES[str(row["strategy"])])
    return rows


def accuracy(job: tuple[dict[str, object], str, int, int]) -> float:
    """Test accuracy after the last round of one run."""
    row, attack, rounds, seed = job
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config = row | {
            "attack": attack, "num-byzantine": BYZANTINE, "num-rounds": rounds,
            "evaluate-every": rounds, "seed": seed, "out-dir": folder,
        }  # fmt: skip
        run(InProcessGrid(client_app, 1, config), config)
        return read_summary(Path(folder))["final_test_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    rows, started = settings(), time.monotonic()
    jobs = [
        (row, attack, given.rounds, seed)
        for row in rows for attack in ATTACKS for seed in range(given.seeds)
    ]  # fmt: skip
    with ProcessPoolExecutor(given.processes) as pool:
        found = list(track(pool.map(accuracy, jobs), total=len(jobs)))
    means = torch.tensor(found).reshape(len(rows), len(ATTACKS), given.seeds).mean(dim=2)
    table = []
    for row, of_attacks in zip(rows, means.tolist(), strict=True):
        options = {k: v for k, v in row.items() if k not in ("strategy", "lr")}
        shown = " ".join(f"{k}={v}" for k, v in options.items())
        table.append(
            {"strategy": row["strategy"], "options": shown, "lr": row["lr"]}
            | dict(zip(ATTACKS, of_attacks, strict=True))
        )
    report(
        f"digits, 15 workers, {BYZANTINE} Byzantine, {given.rounds} rounds, "
        f"mean of {given.seeds} seeds; {time.monotonic() - started:.0f} s",
        table, given.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()
