"""Hostile replies in another's Flower app: our rules as drop-ins beside Flower's strategies.

Ten nodes train scikit-learn's digits by logistic regression, three arrays, five local steps. From
round 2 on five of them send the fault. The run is compared with the one in which those five say
nothing from round 2 on: its model is that of the honest five.

python -m benchmarks.hostile_drop_in [--rounds 3] [--processes 2] [--out FILE]
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import tempfile
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Bulyan, FedAvg, FedMedian, FedTrimmedAvg, Krum, Strategy
from rich.progress import track
from sklearn.datasets import load_digits

import signfed
from benchmarks.common import report
from benchmarks.hostile import RUINED
from signfed.app.runs.folder import read_rounds
from signfed.strategies.core.codecs import Float32Codec, SignCodec
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.drop_in_checks import ENCODERS_OF_SIGNS
from signfed.strategies.server.optimizer import model_sha256
from tests.grid import InProcessGrid
from tests.strategies.server.drop_in.app import client
from tests.strategies.server.hostile.catalogue import usual
from tests.strategies.server.hostile.turn import Dialect, Fault, hostile, silence
from tests.strategies.server.hostile.values import FLOAT32, SIGN

NODES, HOSTILE, STEPS, LR = 10, range(1, 6), 5, 0.5
N = 10 * 64 + 10
FLOATS = Dialect("arrays", "weight", "metrics", Float32Codec(), N)
SIGNS = Dialect("arrays", "signfed.signs", "metrics", SignCodec(), N)
# The largest number that each admits for ten nodes.
FLOWERS: dict[str, Callable[..., Strategy]] = {
    "FedAvg": FedAvg,
    "FedMedian": FedMedian,
    "FedTrimmedAvg": FedTrimmedAvg,  # cuts a fifth at both ends
    "Krum": lambda **keys: Krum(num_malicious_nodes=3, **keys),
    "Bulyan": lambda **keys: Bulyan(num_malicious_nodes=1, **keys),
}
# Those that need clients that follow instructions or know an encoder, or a gradient of the
# server's own.
ELSEWHERE = ("election", "probit-plus", "sign-fv", "fltrust")
OURS = {name: rule for name, rule in STRATEGIES.items() if name not in ELSEWHERE}
MOD = "with one_bit"
HONEST, RIGHT = "as honest", "right"


@lru_cache
def shard(partition: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one node, float32 [n, 64] in [0, 1], and labels as rows of the unit matrix."""
    images, labels = load_digits(return_X_y=True)
    x, y = images[partition::NODES] / 16, labels[partition::NODES]
    return x.astype(np.float32), np.eye(10, dtype=np.float32)[y]


def train(model: dict[str, np.ndarray], partition: int, server_round: int) -> dict[str, np.ndarray]:
    """Some steps of gradient descent on the cross entropy, and one batch more that is tracked."""
    x, y = shard(partition)
    weight, bias = model["weight"].copy(), model["bias"].copy()
    for _ in range(STEPS):
        scores = x @ weight.T + bias
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (p / p.sum(axis=1, keepdims=True) - y) / len(x)
        weight -= np.float32(LR) * (error.T @ x)
        bias -= np.float32(LR) * error.sum(axis=0)
    return {"weight": weight, "bias": bias, "tracked": model["tracked"] + 1}


def strategy(name: str) -> Strategy:
    keys = {"fraction_evaluate": 0.0, "min_available_nodes": NODES}
    if name in FLOWERS:
        return FLOWERS[name](**keys)
    rule = STRATEGIES[name]
    own = {"n_byzantine": 1} if "n_byzantine" in signature(rule).parameters else {}
    return rule(**own, **keys)


def play(
    name: str, channel: str, rounds: int, fault: Fault | None, folder: str | None = None
) -> np.ndarray:
    """The model of one run, float32 [N]. Raises what the strategy raises."""
    random.seed(0)  # Flower draws the order of the nodes from it
    dialect, mods = (SIGNS, [signfed.one_bit]) if channel == MOD else (FLOATS, None)
    tamper = {p: hostile(dialect, lambda t: fault if t > 1 else None) for p in HOSTILE}
    grid = InProcessGrid(client(train, mods), NODES, tamper=tamper)
    initial = {"weight": np.zeros((10, 64), np.float32), "bias": np.zeros(10, np.float32)}
    arrays = ArrayRecord({n: Array(a) for n, a in (initial | {"tracked": np.array(0)}).items()})
    more: dict[str, Any] = {"run_dir": folder} if folder else {}
    found = strategy(name).start(grid, arrays, rounds, timeout=0.05, **more).arrays
    return np.concatenate([found[n].numpy().ravel() for n in initial]).astype(np.float32)


def outcome(run: Callable[[], np.ndarray], known: Mapping[str, str]) -> str:
    """What a fault does to a run. known: SHA-256 of a model -> what it is."""
    try:
        model = run()
    except Exception as error:
        return f"aborts: {type(error).__name__}"
    if not np.isfinite(model).all():
        return "NaN"
    if name := known.get(model_sha256(model)):
        return name
    return "went on" if np.abs(model).max() < RUINED else "ruined"


def entries(channel: str) -> dict[str, Fault]:
    found = {name: entry.send for name, entry in usual().items()}
    if channel == MOD:
        found = {name: send for name, send in found.items() if name not in FLOAT32}
        found |= {name: send for name, (send, _) in SIGN.items()}
    return found


def column(job: tuple[str, str, int]) -> dict[str, str]:
    """Fault -> outcome, for one strategy."""
    name, channel, rounds = job
    torch.set_num_threads(1)
    logging.disable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    gc.freeze()  # Flower's Bulyan collects garbage once a row: 0.4 s with all of torch to see
    honest, five = (play(name, channel, rounds, fault) for fault in (None, silence))
    # Krum may take the same node of ten as of five: then the model is both, and right.
    known = {model_sha256(honest): HONEST, model_sha256(five): RIGHT}
    return {
        fault: outcome(lambda send=send: play(name, channel, rounds, send), known)
        for fault, send in entries(channel).items()
    }


def reasons(rounds: int) -> dict[str, str]:
    """Fault -> under which reason a drop-in drops it; "received" where it does not."""
    logging.disable()
    found = {}
    for fault, send in usual().items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            with np.errstate(all="ignore"):
                play("median", "float32", rounds, send.send, str(path))
            dropped = read_rounds(path)[1]["dropped"]  # the first round of it
        found[fault] = ", ".join(dropped) or "received"
    return found


def table(
    found: Mapping[tuple[str, str], Mapping[str, str]], why: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A row a fault: the reason, what becomes of our runs, and each of Flower's strategies."""
    rows = []
    for fault in dict.fromkeys(fault for outcomes in found.values() for fault in outcomes):
        kinds: dict[str, int] = {}
        for (name, _), outcomes in found.items():
            if name in OURS and fault in outcomes:
                kinds[outcomes[fault]] = kinds.get(outcomes[fault], 0) + 1
        ours = ", ".join(f"{kind}: {count}" for kind, count in kinds.items())
        row = {"fault": fault, "reason": why.get(fault), "signfed": ours}
        rows.append(row | {name: found[name, "float32"].get(fault) for name in FLOWERS})
    return rows


def summary(found: Mapping[tuple[str, str], Mapping[str, str]]) -> list[dict[str, Any]]:
    """A row a strategy: how many replies of each outcome. Ours all together, by channel."""
    rows = []
    kinds = (RIGHT, HONEST, "went on", "ruined", "NaN", "aborts")
    channels = {"signfed, arrays": "float32", "signfed, packed signs": MOD}
    for name in (*FLOWERS, *channels):
        columns = [
            outcomes.values() for (rule, channel), outcomes in found.items()
            if rule == name or (rule in OURS and channel == channels.get(name))
        ]  # fmt: skip
        ends = [end.split(":")[0] for outcomes in columns for end in outcomes]
        rows.append({"strategy": name, "runs": len(ends)} | {k: ends.count(k) for k in kinds})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    cases = [(name, "float32") for name in (*FLOWERS, *OURS)]
    cases += [(name, MOD) for name, rule in OURS.items() if rule.encoder in ENCODERS_OF_SIGNS]
    with ProcessPoolExecutor(given.processes) as pool:
        outcomes = pool.map(column, [(*case, given.rounds) for case in cases])
        found = dict(zip(cases, track(outcomes, total=len(cases)), strict=True))
        why = pool.submit(reasons, given.rounds).result()
    report("Hostile replies to a drop-in, five of ten nodes", table(found, why), given.out)
    report("In short", summary(found), None)


if __name__ == "__main__":
    main()
