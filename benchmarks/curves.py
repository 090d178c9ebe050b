"""Attacks that change over time against rules with a memory and without: test accuracy by round.

    python -m benchmarks.curves --out docs/images

Digits in the local engine, 6 of 15 workers Byzantine; a picture for `sleeper` (honest for half of
the rounds), one for `time-varying` (another attack every 10 rounds), one for `trusted-bloc`, and
the curves as JSON. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from benchmarks.common import machine
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.task import TASKS
from signfed.strategies.server.record import RoundRecord

EVERY, BYZANTINE = 10, 6
COLOURS = ("#dd8452", "#b8353b", "#2166ac")  # of the three votes
POOLED = {"strategy": "sign-fd", "sign-fd.estimator": "pooled"}
RULES: dict[str, dict[str, Any]] = {
    "sign-mv": {"strategy": "sign-mv"},
    "sign-fd, agreement": {"strategy": "sign-fd"},
    "sign-fd, pooled": POOLED,
    "sign-fd, pooled, forget 0.9": POOLED | {"sign-fd.forget": 0.9},
    "sign-fd, alg1": {"strategy": "sign-fd", "sign-fd.estimator": "alg1"},
    "signguard": {"strategy": "signguard", "lr": 0.1},
    "mean": {"strategy": "mean", "lr": 0.1},
}
VOTES: dict[str, dict[str, Any]] = {
    "majority vote (sign-mv)": {"strategy": "sign-mv"},
    "weights by past votes, as published (pooled)": POOLED,
    "weights by agreement (sign-fd)": {"strategy": "sign-fd"},
}


@dataclass(frozen=True)
class Picture:
    """Rules under one attack; `turn` is the round from which it attacks, for a line there."""

    attack: dict[str, Any]
    rules: dict[str, dict[str, Any]]
    rounds: int
    seeds: int
    turn: int = 0

    @property
    def jobs(self) -> list[dict[str, Any]]:
        common = {"num-byzantine": BYZANTINE, "num-rounds": self.rounds, "evaluate-every": EVERY}
        return [
            common | rule | self.attack | {"seed": seed}
            for rule in self.rules.values() for seed in range(self.seeds)
        ]  # fmt: skip


def pictures(rounds: int, seeds: int) -> dict[str, Picture]:
    """What is drawn, by name; "none" is run and not drawn."""
    sleeper = {"attack": "sleeper", "sleeper.rounds": rounds // 2}
    varying = {"attack": "time-varying", "time-varying.period": EVERY}
    bloc = {"attack": "trusted-bloc", "trusted-bloc.rounds": 20}
    return {
        "none": Picture({"attack": "none"}, RULES, rounds, seeds),
        "sleeper": Picture(sleeper, RULES, rounds, seeds),
        "time-varying": Picture(varying, RULES, rounds, seeds),
        "trusted-bloc": Picture(bloc, VOTES, 3 * rounds // 4, 1, turn=20),
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


def draw_turn(found: dict[str, np.ndarray], turn: int, file: Path) -> None:
    """One line a vote, and when the bloc turns; for a page that says the rest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    for (name, curves), colour in zip(found.items(), COLOURS, strict=True):
        rounds = EVERY * (1 + np.arange(curves.shape[1]))
        axes.plot(rounds, curves.mean(axis=0), label=name, color=colour)
    axes.axvline(turn, color="0.3", linestyle="--", linewidth=1)
    axes.text(turn + 3, 0.94, "the bloc turns", color="0.3", va="center")
    axes.set(xlabel="round", ylabel="test accuracy", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(loc="center right", fontsize="small")
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=None, help="none, sleeper, ...")
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("curves"))
    given = parser.parse_args()
    asked = pictures(given.rounds, given.seeds)
    asked = {name: asked[name] for name in given.only or asked}
    jobs = [job for picture in asked.values() for job in picture.jobs]
    with ProcessPoolExecutor(given.processes) as pool:
        found = track(pool.map(curve, jobs), total=len(jobs))
        result: dict[str, Any] = {"machine": machine(), "curves": []}
        given.out.mkdir(parents=True, exist_ok=True)
        for attack, picture in asked.items():
            curves = np.array([[next(found) for _ in range(picture.seeds)] for _ in picture.rules])
            lines = dict(zip(picture.rules, curves, strict=True))
            file = given.out / f"{attack}.png"
            if picture.turn:
                draw_turn(lines, picture.turn, file)
            elif attack != "none":
                seeds = f"{picture.seeds} seeds"
                draw(lines, f"{attack}: digits, {BYZANTINE} of 15 Byzantine, {seeds}", file)
            for rule, values in lines.items():
                last = values.mean(axis=0)
                print(f"{attack:14} {rule:20} final {last[-1]:.3f}, lowest after half "
                      f"{last[len(last) // 2:].min():.3f}")  # fmt: skip
                result["curves"].append(
                    {"attack": attack, "rule": rule, "accuracy": values.tolist()}
                )
    result["settings"] = {k: str(v) for k, v in vars(given).items()}
    (given.out / "curves.json").write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
