"""Seconds a round of three loopback nodes: with the warm worker, without, and Flower's own floor.

    python -m benchmarks.warm_node --times 3

Each federation (a SuperLink and three SuperNodes, real processes) first carries the empty app of
`benchmarks/empty_round`, whose client does nothing, then signfed: digits, one worker a node. The
two kinds of federation take turns, so that what else the machine does falls on both. A round's
seconds move in steps: an idle SuperNode asks every 3 s for messages.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import report
from signfed.app.runs.folder import read_rounds, read_summary
from tests.loopback import Processes

NODES = 3
EMPTY = Path(__file__).parent / "empty_round"
KINDS = {"warm worker": "", "a process per message": "warm-worker=false"}


def carry(place: Path, node_config: str, rounds: int) -> tuple[list[float], list[float], str]:
    """Seconds of the empty app's rounds, of signfed's, and the digest of signfed's model."""
    processes, empty, out = Processes(place), place / "empty.json", place / "run"
    try:
        processes.federation(NODES, node_config)
        given = f"rounds={rounds} nodes={NODES} out='{empty}'"
        assert processes.run_to_its_end(given, EMPTY) == "finished:completed"
        given = (
            f"num-rounds={rounds} num-workers={NODES} num-byzantine=0 attack='none' "
            f"strategy='sign-mv' evaluate-every={rounds} device='cpu' out-dir='{out}'"
        )
        status = processes.run_to_its_end(given)
        assert status == "finished:completed", (place / "superlink.log").read_text()[-3000:]
    finally:
        processes.end()
    ours = [sum(line["seconds"].values()) for line in read_rounds(out)]
    return json.loads(empty.read_text()), ours, read_summary(out)["model_sha256"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    floors: dict[str, list[float]] = {kind: [] for kind in KINDS}
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    models = set()
    for _ in range(given.times):
        for kind, node_config in KINDS.items():
            with tempfile.TemporaryDirectory() as place:
                floor, ours, model = carry(Path(place), node_config, given.rounds)
            floors[kind] += floor
            found[kind] += ours
            models.add(model)
    assert len(models) == 1, "the worker changed the model"
    rows: list[dict[str, Any]] = [
        {
            "nodes": kind, "s a round": median(found[kind]), "mean": mean(found[kind]),
            "floor s": median(floors[kind]), "floor mean": mean(floors[kind]),
            "median / floor": median(found[kind]) / median(floors[kind]),
            "mean / floor": mean(found[kind]) / mean(floors[kind]),
        }
        for kind in KINDS
    ]  # fmt: skip
    report(f"{given.rounds} rounds of {NODES} nodes, {given.times} times", rows, given.out)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
