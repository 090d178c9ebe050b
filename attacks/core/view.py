"""What an attack may see of a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from signfed.attacks.core.findings import Findings
from signfed.attacks.core.past import Past

Knowledge = Literal["own", "colluders", "omniscient", "server"]
Stage = Literal["data", "gradient", "message"]

# (honest rows, rows of the Byzantine workers), by worker, at an attack's stage -> what the rule
# would make of them, float32 [N].
Rehearse = Callable[[Mapping[int, np.ndarray], Mapping[int, np.ndarray]], np.ndarray]


class KnowledgeError(ValueError):
    """An attack asked for more than it declared, or for more than is known where it runs."""


class View:
    """The arrays that an attack may use in one round, for b Byzantine workers at once.

    `honest`, `truth`, `past`, `aggregate`, `findings`, `ids`, `honest_ids`, `n_classes` and
    `images` raise KnowledgeError unless the attack declared that it needs them.

    Parameters
    ----------
    own : ndarray, float32 [b, N]
        What each Byzantine worker would have sent honestly: its gradient or, for an attack on the
        message, the values that the server would decode (+1/-1 on a sign channel). For an attack on
        the data: int64 [b, n], the labels of a batch.
    generators : sequence of numpy.random.Generator
        b independent generators, one for each Byzantine worker.
    n_total : int
        Number of workers that the round asks, Byzantine workers included.
    server_round : int
        Number of the round, 1, 2, ...
    honest : ndarray, float32 [n_total - b, N], optional
        The honest workers' rows at the same stage; a row may hold NaN.
    truth : ndarray, float32 [N], optional
        The gradient over the whole training set.
    past : Past, optional
        The model of the round, what the server did last, and what the attack kept.
    aggregate : callable, optional
        Rows that the Byzantine workers might send, [b, N] -> what the server's rule, as it stands,
        would make of the round then, float32 [N]. The rule does not remember that it was asked.
    findings : Findings, optional
        What the server's rule found out in the last round; empty in the first.
    ids, honest_ids : sequence of int, optional
        Worker ids of the rows of `own` and of `honest`.
    n_classes : int, optional
        Number of classes of the labels.
    images : ndarray, float32 [b, n, C, H, W], optional
        The images of a batch, from 0 (black) to 1 (white).
    """

    honest: np.ndarray
    truth: np.ndarray
    past: Past
    aggregate: Callable[[np.ndarray], np.ndarray]
    findings: Findings
    ids: Sequence[int]
    honest_ids: Sequence[int]
    n_classes: int
    images: np.ndarray

    def __init__(
        self,
        own: np.ndarray,
        generators: Sequence[np.random.Generator],
        n_total: int,
        *,
        server_round: int = 1,
        honest: np.ndarray | None = None,
        truth: np.ndarray | None = None,
        past: Past | None = None,
        aggregate: Callable[[np.ndarray], np.ndarray] | None = None,
        findings: Findings | None = None,
        ids: Sequence[int] | None = None,
        honest_ids: Sequence[int] | None = None,
        n_classes: int | None = None,
        images: np.ndarray | None = None,
    ) -> None:
        self.own = own
        self.generators = generators
        self.n_total = n_total
        self.server_round = server_round
        self._declared = {
            "honest": (honest, "knowledge 'omniscient' or 'server'"),
            "truth": (truth, "truth=True"),
            "past": (past, "past=True"),
            "aggregate": (aggregate, "rule=True"),
            "findings": (findings, "knowledge 'server'"),
            "ids": (ids, "knowledge 'server'"),
            "honest_ids": (honest_ids, "knowledge 'server'"),
            "n_classes": (n_classes, "stage 'data'"),
            "images": (images, "stage 'data', on a task with images"),
        }

    def __getattr__(self, name: str) -> Any:  # only for what __init__ did not set
        declared = self.__dict__.get("_declared", {})
        if name not in declared:
            raise AttributeError(f"a view has no {name!r}")
        value, needed = declared[name]
        if value is None:
            raise KnowledgeError(f"view.{name} is for attacks that declare {needed}")
        return value


def knows(level: Knowledge, what: Knowledge) -> bool:
    """Tell whether one level of knowledge includes another.

    Parameters
    ----------
    level : Knowledge
        What is known.
    what : Knowledge
        What is asked for.

    Examples
    --------
    >>> knows("omniscient", "colluders"), knows("own", "colluders")
    (True, False)
    """
    levels = get_args(Knowledge)
    return levels.index(level) >= levels.index(what)
