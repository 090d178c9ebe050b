"""What a run needs besides its rule, and the error of a run that cannot go on."""

from __future__ import annotations

from dataclasses import dataclass

from strategies.codecs import Codec
from strategies.step import Step


class FederationError(RuntimeError):
    """The federation cannot start or go on: too few nodes, too few valid updates."""


@dataclass(frozen=True)
class Federation:
    """What a run needs besides the rule.

    num_workers: M. codec: how rows are read; encoder: the name that clients are told.
    quorum: valid updates without which a round is skipped, 1..M.
    node_timeout: seconds to wait for all workers' nodes before round 1.
    """

    num_workers: int
    codec: Codec
    encoder: str
    step: Step
    quorum: int = 1
    node_timeout: float = 300.0
