"""With momentum and error feedback, Byzantine workers of the local engine see what is really sent.

A run beside a slow transcription of it that keeps every worker's memory by itself.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from signfed.app.client_app import app as client_app
from signfed.app.config.run_config import parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.server_app import run
from signfed.app.task import find_task
from tests.grid import InProcessGrid

SPY = """
import numpy as np

from signfed import attack

seen = []

def look(view):
    others = view.honest.copy() if LEVEL != "colluders" else None
    seen.append((view.own.copy(), others))
    return -view.own

LEVEL = {level!r}
spy = attack(knowledge=LEVEL, stage={stage!r})(look)
past = []

@attack(knowledge="omniscient", stage="gradient", past=True)
def historian(view):
    rows = np.concatenate([-view.own, view.honest])
    past.append((view.past.model.copy(), view.past.direction, rows))
    return -view.own
"""
WORKERS, BYZANTINE, ROUNDS, LR = 6, (2, 4), 4, 0.05  # two honest workers have their turn before 2


def encoded(encoder, vector, error, fraction):
    """What the server decodes, and the error that is left."""
    if encoder == "sign":
        return np.where(vector >= 0, 1.0, -1.0), error
    if encoder == "float32":
        return vector, error
    total = vector + error
    kept = np.zeros_like(total)
    largest = np.argsort(-np.abs(total), kind="stable")[: round(fraction * len(total))]
    kept[largest] = total[largest]
    return kept, total - kept


def transcribed(problem, encoder, beta, stage, fraction):
    """What the Byzantine workers and the others have at the stage in each round."""
    x = problem.initial().numpy().astype(np.float64)
    u = {w: np.zeros_like(x) for w in range(WORKERS)}
    errors = {w: np.zeros_like(x) for w in range(WORKERS)}
    views = []
    for t in range(1, ROUNDS + 1):
        rows, at_stage = [], {}
        for w in range(WORKERS):
            gradient = problem.gradient(x.astype(np.float32), w, t)
            u[w] = beta * u[w] + (1 - beta) * gradient
            vector = u[w]
            at_stage[w] = vector
            if stage == "gradient" and w in BYZANTINE:
                vector = -vector
            row, errors[w] = encoded(encoder, vector, errors[w], fraction)
            if stage == "message":
                at_stage[w] = row
                row = -row if w in BYZANTINE else row
            rows.append(row)
        views.append((
            [at_stage[w] for w in BYZANTINE],
            [at_stage[w] for w in range(WORKERS) if w not in BYZANTINE],
        ))  # fmt: skip
        x = x - LR * np.mean(rows, axis=0)
    return views


def config(tmp_path, task, encoder, beta):
    return {
        "task": task, "strategy": "mean", "encoder": encoder, "worker-momentum": beta,
        "num-workers": WORKERS, "num-byzantine": len(BYZANTINE), "byzantine-ids": "2,4",
        "num-rounds": ROUNDS, "evaluate-every": ROUNDS, "lr": LR, "device": "cpu",
        "out-dir": str(tmp_path / "run"), "attack": "spying:spy",
    }  # fmt: skip


@pytest.fixture
def spy(tmp_path, monkeypatch):
    """Declares the attack in a module of its own; returns what it saw."""

    def write(level, stage):
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / "spying.py").write_text(SPY.format(level=level, stage=stage))
        monkeypatch.syspath_prepend(folder)
        sys.modules.pop("spying", None)

    yield write
    sys.modules.pop("spying", None)


@pytest.mark.parametrize(
    "level, stage, task, encoder, beta",
    [
        ("omniscient", "gradient", "digits", "float32", 0.9),  # gradients in one call
        ("omniscient", "message", "quadratic", "float32", 0.9),
        ("server", "message", "quadratic", "sign", 0.6),
        ("omniscient", "gradient", "quadratic", "top-k", 0.5),
        ("omniscient", "message", "quadratic", "top-k", 0.5),
        ("colluders", "message", "quadratic", "top-k", 0.0),
    ],
)
def test_the_view_is_of_the_rows_that_workers_send(
    level, stage, task, encoder, beta, spy, tmp_path
):
    spy(level, stage)
    given = config(tmp_path, task, encoder, beta)
    given |= {"top-k.fraction": 0.3} if encoder == "top-k" else {}
    execute(prepare(given), local_engine)
    import spying

    problem = find_task(task).problem(parse(given).workload)
    views = transcribed(problem, encoder, beta, stage, 0.3)
    seen = spying.seen[-ROUNDS:]  # the attack is tried once before the run
    assert len(seen) == ROUNDS
    for (own, others), (ours, theirs) in zip(seen, views, strict=True):
        np.testing.assert_allclose(own, ours, rtol=1e-4, atol=1e-5)
        if level != "colluders":
            np.testing.assert_allclose(others, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("nodes", [0, 1])
def test_the_past_is_the_model_and_what_the_rule_returned(nodes, spy, tmp_path):
    """Of a mean, whose rows the spy knows all; 0 nodes: the local engine."""
    spy("omniscient", "gradient")
    given = config(tmp_path, "quadratic", "float32", 0.0)
    given |= {"attack": "spying:historian", "lr-schedule": "inverse-sqrt"}
    if nodes:
        run(InProcessGrid(client_app, nodes, given), given)
    else:
        execute(prepare(given), local_engine)
    import spying

    problem = find_task("quadratic").problem(parse(given).workload)
    x, direction = problem.initial().numpy(), np.zeros(len(problem.initial()))
    assert len(spying.past) == ROUNDS
    for t, (model, known, rows) in enumerate(spying.past, 1):
        np.testing.assert_allclose(model, x, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(known, direction, rtol=1e-3, atol=1e-4)
        direction = rows.mean(axis=0)
        x = x - LR / t**0.5 * direction
