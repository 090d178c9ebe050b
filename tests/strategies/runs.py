"""Rounds of updates for the tests of the rules. A round is a dict: worker id -> float32 row."""

from dataclasses import replace

import numpy as np
import torch

from signfed.clients import ENCODERS
from signfed.strategies.core.fallback import fallback
from signfed.strategies.core.updates import Updates


def updates_of(rule, rows, server_round, codec=None):
    """The updates as the server builds them from the wire, in the order of the dict.

    The server's own gradient, where the rule needs one, is the median of the rows.
    """
    codec = codec or ENCODERS[rule.encoder]().codec
    encoded = {worker: codec.encode(row) for worker, row in rows.items()}
    updates = Updates.from_rows(encoded, codec, len(next(iter(rows.values()))), server_round)
    if not rule.needs_reference:
        return updates
    return replace(updates, reference=torch.from_numpy(middle(list(rows.values()))))


def middle(rows):
    """The coordinate-wise median, float32 [N]."""
    return np.median(np.stack(rows).astype(np.float64), axis=0).astype(np.float32)


def ask(rule, updates):
    """(direction, diagnostics) as in a federation: of too few updates, the fallback's."""
    if rule.admissible(updates.n):
        return fallback(updates).numpy(), {}
    return rule.aggregate(updates).numpy(), rule.diagnostics()


def play(rule, rounds, *, first=1, codec=None):
    """[(direction, diagnostics)] of a rule over consecutive rounds, the first numbered `first`."""
    return [
        ask(rule, updates_of(rule, rows, number, codec))
        for number, rows in enumerate(rounds, first)
    ]


def random_rounds(seed, n=7, n_coordinates=13, n_rounds=6, absence=0.0):
    """A common direction under noise that grows with the worker; the last worker is inverted.

    So the workers differ in how far they can be trusted, and a rule that weighs them shows it.
    absence: probability that a worker misses a round; one is always there.
    """
    random = np.random.default_rng(seed)
    noise = np.linspace(0.3, 2.0, n)[:, None]
    rounds = []
    for _ in range(n_rounds):
        truth = random.choice([-1.0, 1.0], n_coordinates)
        rows = truth + noise * random.standard_normal((n, n_coordinates))
        rows[-1] *= -1.0
        present = random.random(n) >= absence
        present[random.integers(n)] = True
        rounds.append({int(w): rows[w].astype(np.float32) for w in np.flatnonzero(present)})
    return rounds


def reordered(rows, seed):
    """The same round, its rows in another order of arrival."""
    order = np.random.default_rng(seed).permutation(list(rows))
    return {int(worker): rows[int(worker)] for worker in order}


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
