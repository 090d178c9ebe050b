"""The default rule beside others under every attack, each at the worst of its own range.

    python -m benchmarks.colluders digits --seeds 5
    python -m benchmarks.colluders mnist --seeds 3 --byzantine 3,7 --data-dir data
    python -m benchmarks.colluders digits --rules all --shards equal --rounds 100 --seeds 1

15 workers, 300 rounds, equal shards and three classes a worker. A cell is the accuracy at the end,
mean over the seeds, at the options that are worst for this rule on seed 0 among those that a red
team tries (`signfed redteam`, a grid). Trials are kept in results/colluders.jsonl as they come; a
benchmark that was ended goes on with those that are missing. Prints, for each number of Byzantine
workers and kind of shards, the cells of every rule, the worst attack on each, and its largest loss
against the first. A rule that does not admit so many Byzantine workers has no cells there.
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
from signfed.app.config.usual import usual_keys
from signfed.app.engines.signals import end_with_parent
from signfed.app.redteam.scores import final_scores
from signfed.app.redteam.space import ATTACKERS, first_trials
from signfed.strategies.ops.threads import cores
from signfed.strategies.registry import STRATEGIES

RULES: dict[str, dict[str, Any]] = {
    "pooled": {"strategy": "sign-fd", "sign-fd.estimator": "pooled"},
    "alg1": {"strategy": "sign-fd", "sign-fd.estimator": "alg1"},
    "eq17": {"strategy": "sign-fd", "sign-fd.estimator": "eq17"},
} | {name: {"strategy": name} | usual_keys(rule) for name, rule in STRATEGIES.items()}
BESIDE = "sign-mv,sign-fd,pooled,alg1,eq17,election,reputation-mv,signguard"
SHARDS: dict[str, dict[str, Any]] = {
    "equal": {"partition": "stratified"},
    "three classes": {"partition": "labels", "labels.held": 3},
}
TASKS: dict[str, dict[str, Any]] = {
    "digits": {"task": "digits"},
    # one pass for all workers: half the processor time of one at a time, the same rows to 2e-7
    "mnist": {"task": "mnist", "model": "mlp", "gradients": "vmap"},
}
NO_GRADIENT = ("backdoor",)  # aims at a class, not at accuracy
POINT = 0.01  # of accuracy: a larger loss is printed

Trial = dict[str, Any]  # what names a trial


def searched(given: argparse.Namespace) -> Iterator[Trial]:
    """Every point of every attack's range, on seed 0."""
    for shards, f, attack in product(given.shards, given.byzantine, ("none", *given.attacks)):
        if attack == "none" and f != given.byzantine[0]:
            continue
        for point, rule in product(first_trials(attack, given.grid), given.rules):
            name = {"task": given.task, "shards": shards, "byzantine": 0 if attack == "none" else f}
            name |= {"attack": attack, "options": point, "rule": rule, "seed": 0}
            yield name | {"rounds": given.rounds}


def worst_of_each(trials: list[Trial]) -> list[Trial]:
    """Of each rule and cell the trial with the lowest accuracy; none where no trial could run."""
    worst: dict[tuple, Trial] = {}
    for t in trials:
        if isinstance(t["accuracy"], float):
            cell = (t["shards"], t["byzantine"], t["attack"], t["rule"])
            if cell not in worst or t["accuracy"] < worst[cell]["accuracy"]:
                worst[cell] = t
    return list(worst.values())


def repeated(trials: list[Trial], seeds: int) -> Iterator[Trial]:
    """The same trials on the other seeds."""
    for trial, seed in product(trials, range(1, seeds)):
        yield {key: value for key, value in trial.items() if key != "accuracy"} | {"seed": seed}


def config_of(trial: Trial, data_dir: str) -> dict[str, Any]:
    """The run config of a trial."""
    config = {**TASKS[trial["task"]], **SHARDS[trial["shards"]], **RULES[trial["rule"]]}
    config |= trial["options"] | {"attack": trial["attack"], "num-rounds": trial["rounds"]}
    config |= {"num-byzantine": trial["byzantine"] or 3, "seed": trial["seed"], "device": "cpu"}
    config["evaluate-every"] = trial["rounds"]
    return config | ({"data-dir": data_dir} if data_dir else {})


def accuracy(config: Mapping[str, Any]) -> float | str:
    """The final accuracy, or why there is none."""
    try:
        return final_scores(config)[0]
    except ValueError as error:
        return str(error)


def measured(given: argparse.Namespace, planned: list[Trial]) -> list[Trial]:
    """Those trials with their accuracy; what the file does not hold is run and added to it."""
    lines = given.out.read_text().splitlines() if given.out.exists() else []
    done = {json.dumps(t["trial"]): t["accuracy"] for t in map(json.loads, lines)}
    missing = [trial for trial in planned if json.dumps(trial) not in done]
    print(f"{len(planned)} trials, {len(planned) - len(missing)} of them done", flush=True)
    pool = ProcessPoolExecutor(given.processes, get_context("spawn"), end_with_parent)
    try:
        with given.out.open("a") as out:
            found = pool.map(accuracy, [config_of(trial, given.data_dir) for trial in missing])
            pairs = zip(missing, found, strict=True)
            for trial, value in track(pairs, "trials", total=len(missing)):
                out.write(json.dumps({"trial": trial, "accuracy": value}) + "\n")
                out.flush()
                done[json.dumps(trial)] = value
    finally:
        pool.shutdown(cancel_futures=True)
    return [trial | {"accuracy": done[json.dumps(trial)]} for trial in planned]


def table(trials: list[Trial]) -> list[dict[str, Any]]:
    """One row a cell, the mean over the seeds of each rule."""
    cells: dict[tuple, dict[str, list[float]]] = {}
    for t in trials:
        cell = (t["shards"], t["byzantine"], t["attack"])
        cells.setdefault(cell, {}).setdefault(t["rule"], []).append(t["accuracy"])
    names = ("shards", "byzantine", "attack")
    return [
        dict(zip(names, cell, strict=True)) | {r: round(sum(v) / len(v), 4) for r, v in by.items()}
        for cell, by in sorted(cells.items())
    ]


def in_markdown(rows: list[dict[str, Any]], rules: list[str]) -> Iterator[str]:
    """One table for each kind of shards: a line an attack, a column a number of Byzantine workers.

    A cell holds the accuracy under each rule.
    """
    numbers = sorted({row["byzantine"] for row in rows} - {0})
    for shards in dict.fromkeys(row["shards"] for row in rows):
        yield (
            f"\n| {shards}: {' / '.join(rules)} | "
            + " | ".join(f"{f} of 15" for f in numbers)
            + " |"
        )
        yield "|---" * (len(numbers) + 1) + "|"
        cells = {(r["attack"], r["byzantine"]): r for r in rows if r["shards"] == shards}
        for attack in dict.fromkeys(attack for attack, _ in cells):
            line = [cells.get((attack, 0 if attack == "none" else f), {}) for f in numbers]
            texts = (
                " / ".join(f"{c[rule]:.3f}" if rule in c else "-" for rule in rules) for c in line
            )
            yield f"| `{attack}` | " + " | ".join(texts) + " |"


def worst_attacks(worst: list[Trial]) -> list[Trial]:
    """Of each rule, number of Byzantine workers and kind of shards the attack with most harm."""
    found: dict[tuple, Trial] = {}
    for t in worst:
        place = (t["byzantine"], t["shards"], t["rule"])
        if t["byzantine"] and (place not in found or t["accuracy"] < found[place]["accuracy"]):
            found[place] = t
    return [found[place] for place in sorted(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--grid", type=int, default=3, help="values of each option's range")
    parser.add_argument("--rules", default=BESIDE, help='"all": every rule of the package')
    for name, known in {"shards": SHARDS, "attacks": ATTACKERS}.items():
        chosen = [x for x in known if x not in NO_GRADIENT]
        parser.add_argument(f"--{name}", type=lambda text: text.split(","), default=chosen)
    parser.add_argument(
        "--byzantine", type=lambda text: [int(f) for f in text.split(",")], default=[3, 4, 5, 6, 7]
    )
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--out", type=Path, default=Path("results/colluders.jsonl"))
    parser.add_argument("--processes", type=int, default=cores())
    given = parser.parse_args()
    given.rules = list(STRATEGIES) if given.rules == "all" else given.rules.split(",")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    worst = worst_of_each(measured(given, list(searched(given))))
    rows = table(worst + measured(given, list(repeated(worst, given.seeds))))
    title = f"{given.task}, {given.rounds} rounds, {given.seeds} seeds: worst of each attack"
    report(title, rows, given.out.with_suffix(".json"))
    print(*in_markdown(rows, given.rules), sep="\n")
    for t in worst_attacks(worst):
        clean = next(
            w["accuracy"] for w in worst
            if (w["attack"], w["shards"], w["rule"]) == ("none", t["shards"], t["rule"])
        )  # fmt: skip
        options = " ".join(f"{key}={value}" for key, value in t["options"].items())
        where = f"{t['byzantine']} Byzantine, {t['shards']} shards, {t['rule']}"
        print(f"{where}: {t['attack']} {options} {clean:.3f} -> {t['accuracy']:.3f}")
    for rule in given.rules[1:]:
        losses = [(r[given.rules[0]] - r[rule], r) for r in rows if rule in r]
        print(f"{rule}: at most {max(loss for loss, _ in losses):.4f} below {given.rules[0]}")
        for loss, cell in losses:
            if loss > POINT:
                where = f"{cell['attack']}, {cell['byzantine']} Byzantine, {cell['shards']} shards"
                print(f"  {loss:.4f} below: {where}")


if __name__ == "__main__":
    main()
