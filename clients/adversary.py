"""All Byzantine workers of a run: what each does in a round, and what they know of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock

import numpy as np

from signfed.attacks import Attack, Batch, Findings, KnowledgeError, Past, View
from signfed.attacks.core.arrays import like
from signfed.attacks.core.past import recalled, remembered
from signfed.attacks.core.rows import without_tensors
from signfed.attacks.core.seeing import view_of
from signfed.attacks.core.view import Stage
from signfed.clients.given import Given
from signfed.clients.honest import Memory
from signfed.strategies.core.seeds import generator

# (stage, server_round, honest rows, rows of the Byzantine workers) -> what the rule would make of
# them, float32 [N]. Rows are by worker, as they are at the stage.
AskRule = Callable[[Stage, int, Mapping[int, np.ndarray], Mapping[int, np.ndarray]], np.ndarray]


class Adversary:
    """Carries out one attack for all Byzantine workers.

    What an attack knows beyond a worker's own row is computed from the pure gradient functions,
    once a round, by the first Byzantine worker that needs it; others in the process look theirs up.
    So the rows have the same bits whoever hosts the workers. Threads may share the object.

    Parameters
    ----------
    attack : Attack
        With its options, as `build` returns it.
    ids : tuple of int
        The Byzantine workers.
    asked : callable
        server_round -> all workers that it asks.
    seed : int
        Seed of the run; worker w draws from a generator of (seed, w, server_round).
    n_classes : int, optional
        Number of classes of the labels.
    truth : callable, optional
        Parameters -> the gradient over the whole training set, float32 [N].
    lr_at : callable, optional
        Number of a step -> its learning rate; 1 by default.

    Attributes
    ----------
    findings : Findings
        What the rule found out in the last round; set by an engine that knows.
    memories : mapping of int to Memory, or None
        What each worker remembered before the round (momentum, errors); set by an engine that
        hosts them all. None where one worker cannot know what another remembers.
    ask_rule : AskRule or None
        Asks the rule, which does not remember it; set by an engine that has the rule.
    """

    def __init__(
        self,
        attack: Attack,
        ids: tuple[int, ...],
        *,
        asked: Callable[[int], Sequence[int]],
        seed: int,
        n_classes: int | None = None,
        truth: Callable[[np.ndarray], np.ndarray] | None = None,
        lr_at: Callable[[int], float] = lambda step: 1.0,
    ) -> None:
        self.attack, self.ids = attack, ids
        self.findings = Findings()
        self.memories: Mapping[int, Memory] | None = None
        self.ask_rule: AskRule | None = None
        self._asked, self._seed, self._n_classes, self._truth = asked, seed, n_classes, truth
        self._lr_at = lr_at
        self._lock = Lock()
        self._computed: Given | None = None  # what the rows were computed from
        self._rows: dict[int, np.ndarray] = {}
        self._kept: Memory = {}  # what the attack keeps after them
        self._plan: tuple[int, Attack, tuple[int, ...]] = (-1, attack, ())

    def attack_of(self, worker: int, server_round: int) -> Attack | None:
        """Return what this worker does in the round; None when it is honest in it.

        Parameters
        ----------
        worker : int
            Its id.
        server_round : int
            Number of the round.
        """
        attack, active = self.planned(server_round)
        return attack if worker in active else None

    def remembered(self, worker: int) -> Memory:
        """Return what a worker remembered before the round, as far as it is known."""
        return (self.memories or {}).get(worker, {})

    def row(
        self,
        worker: int,
        own: np.ndarray,
        parameters: np.ndarray,
        server_round: int,
        honestly: Callable[[int], np.ndarray],
        memory: Memory | None = None,
    ) -> np.ndarray:
        """Compute what the worker has after the attack's stage, in a round in which it attacks.

        Parameters
        ----------
        worker : int
            One of the workers that attack in the round.
        own : ndarray, float32 [N]
            What it made honestly at the stage.
        parameters : ndarray, float32 [N]
            The model of the round.
        server_round : int
            Number of the round.
        honestly : callable
            Another worker -> what that one makes honestly at the stage.
        memory : Memory, optional
            What the worker keeps; an attack with a past adds to it.

        Returns
        -------
        ndarray
            In the shape and type of `own`.
        """
        attack, active = self.planned(server_round)
        memory = {} if memory is None else memory
        past = self.recalled(attack, parameters, server_round, memory) if attack.past else None

        def view(workers: tuple[int, ...]) -> View:
            return self.view(
                workers,
                lambda each: own if each == worker else honestly(each),
                server_round,
                parameters=parameters,
                past=past,
            )

        if attack.knowledge == "own":
            row = attack(view((worker,)))[0]
            memory |= remembered(past, attack.name) if past else {}
            return row
        with self._lock:
            given = Given(server_round, parameters, past)
            if self._computed is None or not self._computed.equals(given):
                self._computed = given.copied()  # before the attack adds to its memory
                self._rows = dict(zip(active, attack(view(active)), strict=True))
                self._kept = remembered(past, attack.name) if past else {}
            memory |= {name: array.copy() for name, array in self._kept.items()}
            return self._rows[worker]

    def recalled(self, attack: Attack, model: np.ndarray, server_round: int, kept: Memory) -> Past:
        """Return what a worker knows of earlier rounds, of the model [N] and what it kept.

        Parameters
        ----------
        attack, model, server_round, kept
            Of the round.
        """
        return recalled(kept, attack.name, model, self._lr_at(max(1, server_round - 1)), self._seed)

    def batch(self, worker: int, server_round: int, made: Batch) -> Batch:
        """Return the changed batch of a worker, in a round in which it attacks the data.

        Parameters
        ----------
        worker : int
            One of the workers that attack in the round.
        server_round : int
            Number of the round.
        made : Batch
            What it would honestly compute on.
        """
        attack, _ = self.planned(server_round)
        images = made.images
        view = self.view(
            (worker,), lambda _: made.labels, server_round,
            images=None if images is None else lambda _: images,
        )  # fmt: skip
        batch = attack.poison(view)
        changed = None if batch.images is None else batch.images[0]
        return Batch(batch.labels[0], changed, batch.boost)

    def view(
        self,
        workers: tuple[int, ...],
        row: Callable[[int], np.ndarray],
        server_round: int,
        *,
        parameters: np.ndarray | None = None,
        past: Past | None = None,
        images: Callable[[int], np.ndarray] | None = None,
    ) -> View:
        """Build what these workers see in the round, of rows [N] or of labels by worker.

        Parameters
        ----------
        workers, row, server_round, parameters, past, images
            As for `view_of`.
        """
        attack, _ = self.planned(server_round)
        return view_of(
            attack,
            workers,
            row,
            lambda worker: generator(self._seed, "attack", worker, server_round),
            asked=self._asked(server_round),
            n_total=len(self._asked(server_round)),
            server_round=server_round,
            truth=lambda: self._true_gradient(parameters),
            past=past,
            rehearse=partial(self._rehearsed, attack.stage, server_round),
            findings=self.findings,
            n_classes=self._n_classes,
            images=images,
        )

    def planned(self, server_round: int) -> tuple[Attack, tuple[int, ...]]:
        """Return what is done in this round, and which of the workers that it asks do it."""
        of, attack, active = self._plan
        if of != server_round:  # every worker asks several times a round
            attack, active = self.attack.at(server_round, self._seed, self.ids)
            asked = set(self._asked(server_round))
            active = tuple(worker for worker in active if worker in asked)
            self._plan = server_round, attack, active
        return attack, active

    def _true_gradient(self, parameters: np.ndarray | None) -> np.ndarray:
        if self._truth is None or parameters is None:
            raise KnowledgeError(
                f"attack {self.attack.name!r} needs the true gradient: pass truth to Adversary"
            )
        return like(self._truth(without_tensors(parameters)), parameters)

    def _rehearsed(
        self,
        stage: Stage,
        server_round: int,
        honest: Mapping[int, np.ndarray],
        sent: Mapping[int, np.ndarray],
    ) -> np.ndarray:
        if self.ask_rule is None:
            raise KnowledgeError(f"attack {self.attack.name!r} asks the rule: set ask_rule")
        return self.ask_rule(stage, server_round, honest, sent)
