"""The liars of a run together: what each does in a round, and what they know of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Any

import numpy as np

from signfed.attacks import Attack, View, knows
from signfed.clients.honest import Relabel
from signfed.strategies.core.seeds import generator

# worker id -> what it would honestly send, float32 [N], at the stage of the attack
Honestly = Callable[[int], np.ndarray]


class Adversary:
    """Carries out one attack for all workers that lie.

    What an attack knows beyond a worker's own row is computed here from the pure gradients, once
    a round, by the first liar that needs it; the others of the same process look their row up. So
    the rows are the same bits whoever hosts them. Threads may share the object.

    ids: who lies. asked: round -> the workers that it asks, liars among them. seed: of the run;
    attacker w draws from a generator of (seed, w, round). n_classes: of the labels. truth:
    parameters -> the gradient over the whole training set, float32 [N].
    findings: what the rule found out in the last round; set by an engine that knows.
    """

    def __init__(
        self,
        attack: Attack,
        ids: tuple[int, ...],
        *,
        asked: Callable[[int], Collection[int]],
        seed: int,
        n_classes: int | None = None,
        truth: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.attack, self.ids = attack, ids
        self.findings: Mapping[str, Any] = {}
        self._asked, self._seed, self._n_classes, self._truth = asked, seed, n_classes, truth
        self._lock = Lock()
        self._computed: tuple[int, np.ndarray] | None = None  # round and parameters
        self._rows: dict[int, np.ndarray] = {}
        self._done: tuple[int, Any] = (-1, None)  # round, and what is done in it

    def does(self, worker: int, server_round: int) -> Attack | None:
        """What this worker does in the round; None when it is honest in it."""
        attack, active = self._at(server_round)
        return attack if worker in active else None

    def relabel(self, attack: Attack, worker: int, server_round: int) -> Relabel:
        """What an attack on the data makes of the labels of the worker's batch."""

        def lie(labels: np.ndarray) -> np.ndarray:
            view = self._view(labels[None], (worker,), server_round, n_classes=self._n_classes)
            return attack(view)[0]

        return lie

    def row(
        self, worker: int, parameters: np.ndarray, server_round: int, honestly: Honestly
    ) -> np.ndarray:
        """What the worker sends at the attack's stage, in a round in which it lies."""
        attack, active = self._at(server_round)
        if attack.knowledge == "own":
            return attack(self._view(honestly(worker)[None], (worker,), server_round))[0]
        with self._lock:
            if not self._is_computed(parameters, server_round):
                crafted = attack(self._insight(attack, active, parameters, server_round, honestly))
                self._rows = dict(zip(active, crafted, strict=True))
                self._computed = (server_round, parameters.copy())
            return self._rows[worker]

    def _at(self, server_round: int) -> tuple[Attack, tuple[int, ...]]:
        """What is done in the round, and which of the workers that it asks do it."""
        of, done = self._done
        if of != server_round:  # each liar asks several times a round
            attack, active = self.attack.at(server_round, self._seed, self.ids)
            asked = set(self._asked(server_round))
            done = attack, tuple(worker for worker in active if worker in asked)
            self._done = server_round, done
        return done

    def _is_computed(self, parameters: np.ndarray, server_round: int) -> bool:
        if self._computed is None or self._computed[0] != server_round:
            return False
        return np.array_equal(self._computed[1], parameters)

    def _insight(
        self,
        attack: Attack,
        active: tuple[int, ...],
        parameters: np.ndarray,
        server_round: int,
        honestly: Honestly,
    ) -> View:
        own = np.stack([honestly(worker) for worker in active])
        known: dict[str, Any] = {}
        if knows(attack.knowledge, "omniscient"):
            others = [worker for worker in self._asked(server_round) if worker not in active]
            rows = [honestly(worker) for worker in others]
            known = {"honest": np.reshape(rows, (len(rows), own.shape[1])).astype(np.float32)}
        if attack.truth:
            known["truth"] = self._truth(parameters)
        if attack.knowledge == "server":
            known |= {"findings": self.findings, "ids": active, "honest_ids": tuple(others)}
        return self._view(own, active, server_round, **known)

    def _view(
        self, own: np.ndarray, workers: tuple[int, ...], server_round: int, **known: Any
    ) -> View:
        draws = tuple(generator(self._seed, "attack", worker, server_round) for worker in workers)
        return View(own, draws, len(self._asked(server_round)), server_round=server_round, **known)
