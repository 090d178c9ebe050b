"""Which estimate of sign-fd pays where: final accuracy of every estimate beside a plain vote.

    python -m benchmarks.sign_fd digits --seeds 5
    python -m benchmarks.sign_fd mnist --seeds 3 --data-dir data

15 workers in one process, no messages: the same gradients, attacks and rules as in a run. On MNIST
a 784-32-10 network. Prints a table, mean accuracy over the seeds after the last round, and writes
it as JSON. "layer": Byzantine workers invert the last layer only; "skewed": each worker holds three
classes; --partitions tries those of `signfed list` as well.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import nn

from benchmarks.common import report
from signfed.app.task import PARTITIONS, TASKS, Gradients, evaluate, flatten
from signfed.attacks import ATTACKS, Attack, attack
from signfed.clients import ENCODERS, Adversary, ByzantineClient, HonestClient
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.optimizer import Descent, Step
from signfed.strategies.server.strategy import RobustStrategy
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV

WORKERS, BATCH, CPU = 15, 64, torch.device("cpu")
RULES = ("sign-mv", "alg1", "eq17", "pooled", "agreement")
SIZES = {"digits": (64, 128, 10), "mnist": (784, 32, 10)}


@attack(knowledge="own", stage="message")
def layer(view, *, width: int):
    """Every bit of the last layer inverted."""
    crafted = view.own.copy()
    crafted[:, -width:] *= -1
    return crafted


def rule(name: str) -> RobustStrategy:
    return SignMV() if name == "sign-mv" else SignFD(estimator=name)


def cases(byzantine: list[int], partitions: list[str]) -> list[tuple[str, int, str]]:
    """(attack, byzantine, shards)."""
    table = [("none", 0, "stratified")]
    table += [
        (a, n, "stratified") for a in ("sign-inversion", "stochastic-sign-flip") for n in byzantine
    ]
    table += [("layer", max(byzantine), "stratified")]
    for shards in ("skewed", *partitions):
        table += [("none", 0, shards), ("sign-inversion", max(byzantine) - 1, shards)]
    return table


def network(sizes: tuple[int, int, int], seed: int) -> nn.Module:
    inputs, hidden, classes = sizes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes)
        )


def skewed(labels: np.ndarray, num_workers: int, seed: int, classes: int = 3) -> np.ndarray:
    """Shards of equal size, drawn from three classes each (and a little from all), not disjoint."""
    draws, size = generator(seed, "skewed"), len(labels) // num_workers
    shards = []
    for _ in range(num_workers):
        weight = np.isin(labels, draws.choice(10, classes, replace=False)) + 0.02
        shards.append(draws.choice(len(labels), size, replace=False, p=weight / weight.sum()))
    return np.stack(shards)


def accuracy(job: tuple) -> float:
    """Test accuracy after the last round of one federation."""
    task, data_dir, rounds, (name, byzantine, shards), rule_name, seed = job
    data = TASKS[task].load(Path(data_dir), False)
    labels, sizes = data.train_y.numpy(), SIZES[task]
    held = (PARTITIONS | {"skewed": skewed})[shards](labels, WORKERS, seed)
    model = network(sizes, seed)
    gradients = Gradients(model, data, held, batch_size=BATCH, seed=seed, device=CPU)
    chosen: Attack = layer if name == "layer" else ATTACKS[name]
    if name == "layer":
        chosen = chosen.bind(width=sizes[1] * sizes[2] + sizes[2])
    adversary = Adversary(
        chosen, tuple(range(byzantine)), asked=lambda t: range(WORKERS), seed=seed
    )
    encoder, strategy = ENCODERS["sign"](), rule(rule_name)
    clients = [
        ByzantineClient(w, gradients, encoder, adversary, lambda _: gradients, seed=seed)
        if w < byzantine
        else HonestClient(w, gradients, encoder, seed=seed)
        for w in range(WORKERS)
    ]
    parameters = flatten(network(sizes, seed))
    descent = Descent(Step(lr=0.001), parameters)
    for t in range(1, rounds + 1):
        x = parameters.numpy()
        rows = {c.worker: c.message(x, t) for c in clients}
        updates = Updates.from_rows(rows, encoder.codec, len(x), t)
        parameters = descent.take(strategy.aggregate(updates))
    return evaluate(model, parameters, data)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=SIZES)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--byzantine", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6, 7])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--partitions", nargs="+", choices=PARTITIONS, default=[])
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    started, table = time.monotonic(), cases(given.byzantine, given.partitions)
    jobs = [
        (given.task, given.data_dir, given.rounds, case, name, seed)
        for case, name, seed in product(table, given.rules, range(given.seeds))
    ]
    with ProcessPoolExecutor(given.processes) as pool:
        found = list(track(pool.map(accuracy, jobs), total=len(jobs), description=given.task))
    means = np.reshape(found, (len(table), len(given.rules), given.seeds)).mean(axis=2)
    rows = [
        {"attack": name, "byzantine": byzantine, "shards": shards}
        | dict(zip(given.rules, map(float, row), strict=True))
        for (name, byzantine, shards), row in zip(table, means, strict=True)
    ]
    report(
        f"{given.task}, {given.rounds} rounds, {given.seeds} seeds; "
        f"{time.monotonic() - started:.0f} s",
        rows, given.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()
