"""From what is known of a round to what an attack sees of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from signfed.attacks.core.arrays import cast, namespace, zeros
from signfed.attacks.core.attack import Attack
from signfed.attacks.core.findings import Findings
from signfed.attacks.core.past import Past
from signfed.attacks.core.rows import as_asked
from signfed.attacks.core.view import Rehearse, View, knows


class _Made(Sequence):
    """What a function makes of each worker, made when it is asked for: few attacks draw."""

    def __init__(self, make: Callable[[int], Any], workers: Sequence[int]) -> None:
        self._make, self._workers = make, workers
        self._made: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._workers)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return tuple(self)[i]
        worker = self._workers[i]
        if worker not in self._made:
            self._made[worker] = self._make(worker)
        return self._made[worker]


def stacked(rows: Sequence[np.ndarray], like: np.ndarray) -> np.ndarray:
    """Return rows as a matrix, float32 [n, N]; [0, N] where there are none.

    Parameters
    ----------
    rows : sequence of ndarray or Tensor, [N] each
        None perhaps.
    like : ndarray or Tensor [b, N]
        What says N, and where the rows lie.
    """
    xp = namespace(like)
    if not rows:
        return zeros((0, like.shape[1]), like, xp.float32)
    return cast(xp.stack(rows), xp.float32)


def view_of(
    attack: Attack,
    active: Sequence[int],
    row: Callable[[int], np.ndarray],
    generator: Callable[[int], np.random.Generator],
    *,
    asked: Sequence[int],
    n_total: int,
    server_round: int,
    truth: Callable[[], np.ndarray],
    past: Past | None,
    rehearse: Rehearse,
    findings: Findings,
    n_classes: int | None,
    images: Callable[[int], np.ndarray] | None = None,
) -> View:
    """Build the view of a round: what an attack declared, and no more.

    Parameters
    ----------
    attack : Attack
        Whose view it is.
    active : sequence of int
        The Byzantine workers that attack, at least one.
    row : callable
        Worker -> what it would honestly have at the attack's stage, [N].
    generator : callable
        Worker -> the generator that it draws from.
    asked : sequence of int
        All workers of the round; the others among them are honest in it.
    n_total : int
        Their number.
    server_round : int
        Number of the round, 1, 2, ...
    truth : callable
        Computes the gradient over the whole training set, float32 [N].
    past : Past or None
        What was before the round.
    rehearse : Rehearse
        Asks the rule.
    findings : Findings
        What the rule found out in the last round.
    n_classes : int or None
        Number of classes of the labels, for an attack on the data.
    images : callable, optional
        Worker -> the images of its batch, float32 [n, C, H, W], for an attack on the data.
    """
    rows = [row(worker) for worker in active]
    own = namespace(rows[0]).stack(rows)
    sees: dict[str, Any] = {}
    others = tuple(worker for worker in asked if worker not in active)
    if knows(attack.knowledge, "omniscient"):
        rows = [row(worker) for worker in others]
        sees["honest"] = stacked(rows, own)
    if attack.knowledge == "server":
        sees |= {"findings": findings, "ids": tuple(active), "honest_ids": others}
    if attack.truth:
        sees["truth"] = truth()
    if attack.past:
        sees["past"] = past
    if attack.rule:
        peers = dict(zip(others, sees["honest"], strict=True))

        def aggregate(sent: np.ndarray) -> np.ndarray:
            rows = as_asked(attack.name, sent, own)  # in the type in which they would be sent
            return rehearse(peers, dict(zip(active, rows, strict=True)))

        sees["aggregate"] = aggregate
    if attack.stage == "data":
        sees["n_classes"] = n_classes
        sees["images"] = np.stack([images(worker) for worker in active]) if images else None
    return View(own, _Made(generator, active), n_total, server_round=server_round, **sees)
