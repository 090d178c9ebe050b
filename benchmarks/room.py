"""What rounds take of a GPU's memory, as a run counts it before it starts: no GPU is needed.

python -m benchmarks.room [--workers 50] [--batch 50] [--card 80] [--out FILE]
In GB, in float32, without the data set; a fifth of the workers is Byzantine. An estimate
(app/engines/room.py): nothing is measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common import report
from benchmarks.gpu.cases import Case, Kept
from signfed.app.config.run_config import build_strategy
from signfed.app.engines.room import GB, room_of

MODELS = ("fd-cnn", "resnet-56", "resnet-18", "resnet-50")
ROUNDS = (("sign-mv", "sign-flip"), ("sign-mv", "lie"), ("median", "sign-flip"))


def rows(workers: int, batch: int, card: float) -> list[dict[str, Any]]:
    """One a network, with a column a rule and attack."""
    found = []
    for model in MODELS:
        row: dict[str, Any] = {"network": model}
        for rule, attack in ROUNDS:
            case = Case(model, workers, batch, workers // 5, rule, "float32", attack)
            config = case.config("cpu", 2)
            problem: Any = Kept(case, "cpu")
            built = build_strategy(config)
            room = room_of(config, built, problem, way="shared", card=round(card * GB))
            data = problem.memory(workers)[1]
            row["parameters"] = problem.edges[-1]
            row[f"{rule}, {attack}"] = round((room.total - data) / GB, 1)
        found.append(row | {"of it the pass": round(room.activations / GB, 1)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--card", type=float, default=80.0, help="GB of the GPU")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    found = rows(given.workers, given.batch, given.card)
    report(f"GB of {given.card:g}, {given.workers} x {given.batch}", found, given.out)


if __name__ == "__main__":
    main()
