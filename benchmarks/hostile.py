"""Every hostile reply against every rule, and against Flower's own strategies.

15 nodes with one worker each, digits; from round 2 on one of them sends the fault. The run is
compared with the one in which that node says nothing from round 2 on.

python -m benchmarks.hostile [--rounds 4] [--processes 2] [--out FILE]
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from rich.progress import track

from benchmarks import usual_flower
from benchmarks.common import report
from signfed.app.config.run_config import parse
from signfed.app.task import TASKS, Classification, Problem
from signfed.clients import ENCODERS
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.optimizer import model_sha256
from tests.federation import federate
from tests.grid import Tamper
from tests.strategies.server.hostile.catalogue import catalogue, usual
from tests.strategies.server.hostile.turn import Dialect, Fault, flower, hostile, signfed, silence
from tests.together import Together

NODES, VICTIM, BATCH, LR = 15, 2, 64, 0.1
RUINED = 1000.0  # largest value of a model; that of an honest one is below 1
Play = Callable[[dict[int, Tamper]], np.ndarray]


@lru_cache
def problem() -> Problem:
    workload = parse({"task": "digits", "num-workers": NODES, "batch-size": BATCH}).workload
    return TASKS["digits"].problem(workload)


def ours(rule: str, encoder: str, rounds: int, tamper: dict[int, Tamper]) -> np.ndarray:
    """The model of one run of signfed, float32 [N]."""
    lr = 0.001 if _channel(rule) == "sign" else LR
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("signfed.app.runs.saving.model_sha256", wraps=model_sha256) as last,
    ):
        federate(
            Path(folder), nodes=NODES, tamper=tamper, strategy=rule, encoder=encoder, lr=lr,
            batch_size=BATCH, attack="none", num_byzantine=1, num_rounds=rounds,
            evaluate_every=rounds, round_timeout=0.05,
        )  # fmt: skip
        return last.call_args.args[0]


def theirs(name: str, rounds: int, tamper: dict[int, Tamper]) -> np.ndarray:
    """The model of one run of a strategy of Flower's, float32 [N]."""
    app = usual_flower.client(problem(), LR, BATCH)
    return usual_flower.train(name, app, problem(), NODES, rounds, tamper)


def _channel(rule: str) -> str:
    return ENCODERS[STRATEGIES[rule].encoder]().codec.name


def outcome(play: Play, dialect: Dialect, fault: Fault, known: dict[str, str]) -> str:
    """What a fault does to a run. known: SHA-256 of a model -> what it is."""
    try:
        model = play({VICTIM: hostile(dialect, lambda t: fault if t > 1 else None)})
    except Exception as error:
        return f"aborted: {type(error).__name__}"
    if model.shape != problem().initial().shape:
        return "another shape"
    if not np.isfinite(model).all():
        return "NaN"
    if name := known.get(model_sha256(model.astype(np.float32))):
        return name
    return "went on" if np.abs(model).max() < RUINED else "ruined"


def column(job: tuple[str, str, int]) -> dict[str, str]:
    """Fault -> outcome, for one strategy on one channel."""
    name, channel, rounds = job
    torch.set_num_threads(1)
    logging.disable()
    warnings.simplefilter("ignore")
    together = Together()
    Classification.gradient = lambda *given, **more: together(*given, **more)
    n = len(problem().initial())
    gc.freeze()  # Flower's Bulyan collects garbage once a row: 0.4 s with all of torch to see
    if name in STRATEGIES:
        encoder = "auto" if channel == _channel(name) else channel
        play, dialect = partial(ours, name, encoder, rounds), signfed(CODECS[channel], n)
        entries = catalogue(CODECS[channel])
    else:
        play, dialect, entries = partial(theirs, name, rounds), flower(n), usual()
    silent = play({VICTIM: hostile(dialect, lambda t: silence if t > 1 else None)})
    known = {model_sha256(play({})): "honest model", model_sha256(silent): "same model"}
    return {fault: outcome(play, dialect, e.send, known) for fault, e in entries.items()}


def table(found: dict[tuple[str, str], dict[str, str]]) -> list[dict[str, Any]]:
    """A row a fault: what our rules make of it, how many each, and each of Flower's strategies.

    Up to two rules are named.
    """
    faults = dict.fromkeys(fault for outcomes in found.values() for fault in outcomes)
    rows = []
    for fault in faults:
        kinds: dict[str, list[str]] = {}
        for (name, channel), outcomes in found.items():
            if name in STRATEGIES and fault in outcomes:
                kinds.setdefault(outcomes[fault], []).append(f"{name} ({channel})")
        cells = (f"{kind}: {_few(names)}" for kind, names in kinds.items())
        row = {"fault": fault, "signfed": ", ".join(cells)}
        for name in usual_flower.STRATEGIES:
            row[name] = found[name, "float32"].get(fault)
        rows.append(row)
    return rows


def _few(names: list[str]) -> str:
    return " and ".join(names) if len(names) <= 2 else str(len(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    cases = [(rule, _channel(rule)) for rule in STRATEGIES]
    cases += [(rule, "top-k") for rule, channel in cases if channel == "float32"]
    cases += [(name, "float32") for name in usual_flower.STRATEGIES]
    with ProcessPoolExecutor(given.processes) as pool:
        outcomes = pool.map(column, [(*case, given.rounds) for case in cases])
        found = dict(zip(cases, track(outcomes, total=len(cases)), strict=True))
    report("Hostile replies", table(found), given.out)


if __name__ == "__main__":
    main()
