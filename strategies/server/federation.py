"""What a run needs besides its rule, and the error of a run that cannot go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from flwr.serverapp import Grid

from signfed.strategies.core.codecs import Codec
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.shares import share_of
from signfed.strategies.server.optimizer import Step

# (parameters float32 [N], server_round) -> the server's own gradient, float32 [N]; pure.
Reference = Callable[[np.ndarray, int], np.ndarray]

# Grid -> each connected node that may take part -> (partition, number of partitions).
Admit = Callable[[Grid], Mapping[int, tuple[int, int]]]

WhenBroken = Literal["warn", "stop"]  # what a run does whose rule contradicts the assumed f


class FederationError(RuntimeError):
    """The federation cannot start or go on: too few nodes, too few valid updates."""


class DivergedError(FederationError):
    """The model is beyond float32: what comes of it is no longer finite."""


@dataclass(frozen=True)
class Participation:
    """Which of the workers a round asks: ceil(fraction num_workers) of them, at random.

    They are drawn without replacement as a function of (seed, round), so that server, nodes and
    Byzantine workers agree on it without a message.

    Parameters
    ----------
    num_workers : int
        M; the ids are 0..M-1.
    fraction : float
        In (0, 1]; 1 asks all.
    seed : int
        Of the run.

    References
    ----------
    McMahan et al. 2017, Algorithm 1 (S_t, the random set of clients).

    Notes
    -----
    Deviation: none.

    Examples
    --------
    >>> Participation(5, fraction=0.4).workers(server_round=1)
    (0, 3)
    """

    num_workers: int
    fraction: float = 1.0
    seed: int = 0

    @cached_property  # each worker of each round asks
    def count(self) -> int:
        """Workers that a round asks, at least 1."""
        return max(1, share_of(self.num_workers, self.fraction))

    def workers(self, server_round: int) -> tuple[int, ...]:
        """Return the workers of the round, ascending."""
        return _drawn(self.num_workers, self.count, self.seed, server_round)


@lru_cache(maxsize=4)  # every worker asks, and every Byzantine one
def _drawn(num_workers: int, count: int, seed: int, server_round: int) -> tuple[int, ...]:
    if count == num_workers:
        return tuple(range(num_workers))
    draws = generator(seed, "participants", server_round)
    return tuple(sorted(draws.choice(num_workers, count, replace=False).tolist()))


@dataclass(frozen=True)
class Federation:
    """What a run needs besides its rule.

    Parameters
    ----------
    participation : Participation
        Which workers there are, and which of them a round asks.
    codec : Codec
        How rows are read.
    encoder : str
        The name of the encoder that clients use.
    step : Step
        The optimizer's hyper-parameters, on the server and on the nodes.
    quorum : int
        Valid updates without which a round is skipped, 1..participation.count.
    node_timeout : float
        Seconds to wait for all workers' nodes before round 1.
    reference : callable, optional
        The server's own gradient on its own samples, for a rule that needs one.
    assumed_byzantine : int, optional
        The most workers that are assumed to be Byzantine; checked where a rule judges workers.
    when_broken : {"warn", "stop"}
        What happens when a rule's verdict contradicts this assumption.
    admit : callable, optional
        Which connected nodes take part, and as which partition; looked at before each round. All,
        as the partition that they say, where there is none.
    edges : tuple of int
        Where the model's parameter tensors begin and end, from 0 to N; empty where that is not
        known.
    """

    participation: Participation
    codec: Codec
    encoder: str
    step: Step
    quorum: int = 1
    node_timeout: float = 300.0
    reference: Reference | None = None
    edges: tuple[int, ...] = ()
    assumed_byzantine: int | None = None
    when_broken: WhenBroken = "warn"
    admit: Admit | None = None

    @property
    def num_workers(self) -> int:
        """M."""
        return self.participation.num_workers
