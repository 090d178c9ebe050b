"""Attacks that change over time against rules with a memory and without: test accuracy by round.

    python -m benchmarks.curves --out docs/images

Digits in the local engine, 6 of 15 workers Byzantine; a picture for `sleeper` (honest for half of
the rounds) and one for `time-varying` (another attack every 10 rounds), and the curves as JSON.
Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from benchmarks.common import machine
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local import local_engine
from signfed.app.engines.run import Run
from signfed.app.task import TASKS
from signfed.strategies.server.record import RoundRecord

EVERY, BYZANTINE = 10, 6
RULES: dict[str, dict[str, Any]] = {
    "sign-mv": {"strategy": "sign-mv"},
    "sign-fd": {"strategy": "sign-fd"},
    "sign-fd, forget 0.9": {"strategy": "sign-fd", "sign-fd.forget": 0.9},
    "sign-fd, alg1": {"strategy": "sign-fd", "sign-fd.estimator": "alg1"},
    "signguard": {"strategy": "signguard", "lr": 0.1},
    "mean": {"strategy": "mean", "lr": 0.1},
}


def attacks(rounds: int) -> dict[str, dict[str, Any]]:
    return {
        "none": {"attack": "none"},
        "sleeper": {"attack": "sleeper", "sleeper.rounds": rounds // 2},
        "time-varying": {"attack": "time-varying", "time-varying.period": EVERY},
    }


def curve(config: dict[str, Any]) -> list[float]:
    """Test accuracy of each evaluated round."""
    torch.set_num_threads(1)
    checked = parse(config)
    records: list[RoundRecord] = []
    problem = TASKS[checked.workload.task].problem(checked.workload)
    local_engine(
        Run(checked, build_strategy(checked), problem, None, lambda r, state: records.append(r))
    )
    return [r.test_accuracy for r in records if r.test_accuracy is not None]


def draw(found: dict[str, np.ndarray], title: str, file: Path) -> None:
    """One line a rule, the mean over the seeds with their range."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, curves in found.items():
        rounds = EVERY * (1 + np.arange(curves.shape[1]))
        (line,) = axes.plot(rounds, curves.mean(axis=0), label=name)
        low, high = curves.min(axis=0), curves.max(axis=0)
        axes.fill_between(rounds, low, high, alpha=0.15, color=line.get_color())
    axes.set(title=title, xlabel="round", ylabel="test accuracy", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("curves"))
    given = parser.parse_args()
    common = {"num-byzantine": BYZANTINE, "num-rounds": given.rounds, "evaluate-every": EVERY}
    cases = [(a, rule) for a in attacks(given.rounds) for rule in RULES]
    jobs = [
        common | RULES[rule] | attacks(given.rounds)[attack] | {"seed": seed}
        for attack, rule in cases for seed in range(given.seeds)
    ]  # fmt: skip
    with ProcessPoolExecutor(given.processes) as pool:
        found = list(track(pool.map(curve, jobs), total=len(jobs)))
    curves = np.reshape(found, (len(cases), given.seeds, -1))
    given.out.mkdir(parents=True, exist_ok=True)
    for attack in attacks(given.rounds):
        lines = {r: c for (a, r), c in zip(cases, curves, strict=True) if a == attack}
        if attack != "none":
            title = f"{attack}: digits, {BYZANTINE} of 15 Byzantine, {given.seeds} seeds"
            draw(lines, title, given.out / f"{attack}.png")
        for rule, values in lines.items():
            last = values.mean(axis=0)
            print(f"{attack:14} {rule:20} final {last[-1]:.3f}, lowest after half "
                  f"{last[len(last) // 2:].min():.3f}")  # fmt: skip
    result = {"machine": machine(), "settings": {k: str(v) for k, v in vars(given).items()}}
    result["curves"] = [
        {"attack": a, "rule": r, "accuracy": c.tolist()}
        for (a, r), c in zip(cases, curves, strict=True)
    ]
    (given.out / "curves.json").write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
