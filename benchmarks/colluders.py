"""The default rule beside others under every attack, each at the worst of its own range.

    python -m benchmarks.colluders digits --seeds 5
    python -m benchmarks.colluders mnist --seeds 3 --byzantine 3,7 --data-dir data

15 workers, 300 rounds, equal shards and three classes a worker. A cell is the lowest final accuracy
over the options of the attack that a red team tries (`signfed redteam`, a grid), mean over the
seeds. Trials are kept in results/colluders.jsonl as they come; a benchmark that was ended goes on
with those that are missing. Prints, for each number of Byzantine workers and kind of shards, the
cells of every rule, and the largest loss of each against `sign-mv`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.common import report
from signfed.app.engines.local import cores
from signfed.app.engines.signals import end_with_parent
from signfed.app.redteam.search import final_scores
from signfed.app.redteam.space import ATTACKERS, first_trials

RULES: dict[str, dict[str, Any]] = {
    "sign-mv": {"strategy": "sign-mv"},
    "sign-fd": {"strategy": "sign-fd"},
    "pooled": {"strategy": "sign-fd", "sign-fd.estimator": "pooled"},
    "alg1": {"strategy": "sign-fd", "sign-fd.estimator": "alg1"},
    "eq17": {"strategy": "sign-fd", "sign-fd.estimator": "eq17"},
    "election": {"strategy": "election"},
    "reputation-mv": {"strategy": "reputation-mv"},
    "signguard": {"strategy": "signguard", "lr": 0.1},
}
SHARDS: dict[str, dict[str, Any]] = {
    "equal": {"partition": "stratified"},
    "three classes": {"partition": "labels", "labels.held": 3},
}
TASKS: dict[str, dict[str, Any]] = {
    "digits": {"task": "digits"},
    "mnist": {"task": "mnist", "model": "mlp"},
}
NO_GRADIENT = ("backdoor",)  # aims at a class, not at accuracy


def configs(
    given: argparse.Namespace,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(what names a trial, its run config), for every trial."""
    seeds = range(given.seeds)
    for shards, f, attack in product(given.shards, given.byzantine, ("none", *given.attacks)):
        for point, rule, seed in product(first_trials(attack, given.grid), given.rules, seeds):
            if attack == "none" and f != given.byzantine[0]:
                continue
            name = {"task": given.task, "shards": shards, "byzantine": 0 if attack == "none" else f}
            name |= {"attack": attack, "options": point, "rule": rule, "seed": seed}
            name |= {"rounds": given.rounds}
            config = {**TASKS[given.task], **SHARDS[shards], **RULES[rule], **point}
            config |= {"attack": attack, "num-byzantine": f, "num-rounds": given.rounds}
            config |= {"seed": seed, "evaluate-every": given.rounds, "device": "cpu"}
            if given.data_dir:
                config["data-dir"] = given.data_dir
            yield name, config


def trial(config: Mapping[str, Any]) -> float | str:
    """The final accuracy, or why there is none."""
    try:
        return final_scores(config)[0]
    except ValueError as error:
        return str(error)


def table(trials: list[dict[str, Any]], rules: list[str]) -> list[dict[str, Any]]:
    """One row a cell: the worst options of the attack, for each rule by itself."""
    scores: dict[tuple, dict[str, list[float]]] = {}
    for t in trials:
        if isinstance(t["accuracy"], float):
            cell = (t["shards"], t["byzantine"], t["attack"])
            key = f"{t['rule']} {json.dumps(t['options'])}"
            scores.setdefault(cell, {}).setdefault(key, []).append(t["accuracy"])
    rows = []
    for (shards, byzantine, attack), found in scores.items():
        row = {"shards": shards, "byzantine": byzantine, "attack": attack}
        for rule in rules:
            means = [sum(v) / len(v) for k, v in found.items() if k.startswith(f"{rule} ")]
            if means:
                row[rule] = round(min(means), 4)
        rows.append(row)
    return sorted(rows, key=lambda row: (row["shards"], row["byzantine"], row["attack"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--grid", type=int, default=3, help="values of each option's range")
    names = {"rules": RULES, "shards": SHARDS, "attacks": ATTACKERS}
    for name, known in names.items():
        chosen = [x for x in known if x not in NO_GRADIENT]
        parser.add_argument(f"--{name}", type=lambda text: text.split(","), default=chosen)
    parser.add_argument(
        "--byzantine", type=lambda text: [int(f) for f in text.split(",")], default=[3, 4, 5, 6, 7]
    )
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--out", type=Path, default=Path("results/colluders.jsonl"))
    parser.add_argument("--processes", type=int, default=cores())
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    lines = given.out.read_text().splitlines() if given.out.exists() else []
    done = {json.dumps(t["trial"]): t["accuracy"] for t in map(json.loads, lines)}
    planned = list(configs(given))
    missing = [(name, config) for name, config in planned if json.dumps(name) not in done]
    print(f"{len(planned)} trials, {len(planned) - len(missing)} of them done", flush=True)
    pool = ProcessPoolExecutor(given.processes, get_context("spawn"), end_with_parent)
    try:
        with given.out.open("a") as out:
            found = pool.map(trial, [config for _, config in missing])
            for (name, _), accuracy in track(
                zip(missing, found, strict=True), "trials", total=len(missing)
            ):
                out.write(json.dumps({"trial": name, "accuracy": accuracy}) + "\n")
                out.flush()
                done[json.dumps(name)] = accuracy
    finally:
        pool.shutdown(cancel_futures=True)
    trials = [name | {"accuracy": done[json.dumps(name)]} for name, _ in planned]
    rows = table(trials, given.rules)
    title = f"{given.task}, {given.rounds} rounds, {given.seeds} seeds: worst of each attack"
    report(title, rows, given.out.with_suffix(".json"))
    for rule in given.rules[1:]:
        lost = [(r[given.rules[0]] - r[rule], r) for r in rows if rule in r]
        loss, cell = max(lost, key=lambda each: each[0])
        where = f"{cell['attack']}, {cell['byzantine']} Byzantine, {cell['shards']} shards"
        print(f"{rule}: at most {loss:.4f} below {given.rules[0]} ({where})")


if __name__ == "__main__":
    main()
