"""Bits per parameter of every rule and encoder, each way, measured on the messages.

    python -m benchmarks.traffic

Three rounds of the FD CNN (N = 582,026) on random images, one worker a node, one node after another
in this process; the content of each message as protobuf, after round 1. Beside it what the arrays
alone would take, and the formulas of Park & Lee 2024, Table 1.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.common import random_images, report
from signfed.app.client_app import app as client_app
from signfed.app.config.usual import usual_keys
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.server_app import run
from signfed.app.task import TASKS
from signfed.clients import ENCODERS
from signfed.strategies.registry import STRATEGIES
from tests.grid import InProcessGrid

N, WORKERS, ROUNDS, TOP_K = 582_026, 15, 3, 0.1
CASES = [{"strategy": name} | usual_keys(rule) for name, rule in STRATEGIES.items()] + [
    {"strategy": "mean", "encoder": name} for name in ENCODERS
]


def paper_up(encoder: str) -> float:
    """Bits per parameter up: 1 for signs, 32 K/N + K/N log2(N/K) for the K largest, 32 for all."""
    if encoder == "top-k":
        return 32 * TOP_K + TOP_K * math.log2(1 / TOP_K)
    return 32.0 if encoder == "float32" else 1.0


def measured(case: dict[str, str]) -> dict[str, Any]:
    """One run of the rule or encoder."""
    with tempfile.TemporaryDirectory() as folder:
        config: dict[str, Any] = {
            "task": "mnist", "batch-size": 1, "num-rounds": ROUNDS, "evaluate-every": ROUNDS,
            "num-byzantine": 3, "attack": "none", "out-dir": f"{folder}/run", **case,
        }  # fmt: skip
        path = run(InProcessGrid(client_app, WORKERS, config), config)
        summary, rounds = read_summary(path), read_rounds(path)
    rule = case["strategy"]
    encoder = case.get("encoder", STRATEGIES[rule].encoder)
    up, down = summary["uplink_bits_per_parameter"], summary["downlink_bits_per_parameter"]
    return {
        "rule": rule, "encoder": encoder,
        "up": up, "up, paper": paper_up(encoder),
        "down": down, "down, paper": 1.0 if down < 2 else 32.0,
        "down, round 1": 8 * rounds[0]["downlink_bytes"] / rounds[0]["nodes"] / N,
        "FedAvg / this": 64 / (up + down),
    }  # fmt: skip


def rows() -> Iterator[dict[str, Any]]:
    data = random_images((1, 28, 28), 1500)
    TASKS["mnist"] = replace(TASKS["mnist"], load=lambda data_dir, download: data)
    for case in track(CASES, "rules and encoders"):
        yield measured(case)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    report(f"bits per parameter, N = {N:,}, after round 1", list(rows()), given.out)


if __name__ == "__main__":
    main()
