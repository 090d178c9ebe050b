"""The rule that is checked, and a fresh object of it for each trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from signfed.app.config.run_config import build_strategy, parse
from signfed.app.config.usual import SAMPLES, votes
from signfed.app.errors import ConfigError
from signfed.strategies.core import own
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.strategy import RobustStrategy


@dataclass(frozen=True)
class Subject:
    """A rule with its options, as a run config names it.

    Attributes
    ----------
    name : str
        A rule of the package, or `module:Class`.
    keys : mapping
        More run-config keys: its options.
    """

    name: str
    keys: dict[str, Any] = field(default_factory=dict)

    def rule(self, num_workers: int = 15, n_byzantine: int = 0) -> RobustStrategy:
        """Return a new object of the rule.

        Parameters
        ----------
        num_workers : int
            n.
        n_byzantine : int
            f, what the rule assumes.

        Raises
        ------
        ConfigError
            When there is no such rule, or it cannot serve n and f.
        """
        config = {
            **self.keys, "strategy": self.name, "num-workers": num_workers, "device": "cpu",
            "num-byzantine": n_byzantine, "attack": "none", "batch-size": 1,
        }  # fmt: skip
        return build_strategy(parse(config))

    def __call__(self, rows: np.ndarray, n_byzantine: int = 0) -> np.ndarray:
        """Return what a new object of the rule answers: float32 [n, N] -> float32 [N].

        Parameters
        ----------
        rows : ndarray, float32 [n, N]
        n_byzantine : int
            f, what the rule assumes.
        """
        rule = self.rule(len(rows), n_byzantine)
        return np.asarray(rule(rows, **self.references(rows)))

    def references(self, rows: np.ndarray) -> dict[str, Any]:
        """Return the server's own gradient for a rule that needs one: the honest mean, say.

        Parameters
        ----------
        rows : ndarray, float32 [n, N]
        """
        if not self.needs_reference:
            return {}
        finite = rows[np.isfinite(rows).all(axis=1)]
        return {"reference": finite.mean(axis=0, dtype=np.float64).astype(np.float32)}

    @property
    def needs_reference(self) -> bool:
        """Whether the rule asks for the server's own gradient."""
        return bool(self.keys.get("server-samples"))

    @property
    def votes(self) -> bool:
        """Whether the rule's direction is a sign vector."""
        return votes(self.rule())

    def serves(self, num_workers: int, n_byzantine: int) -> bool:
        """Tell whether the rule admits n workers of which f may be Byzantine.

        Parameters
        ----------
        num_workers, n_byzantine : int
        """
        try:
            return self.rule(num_workers, n_byzantine).admissible(num_workers) is None
        except ConfigError:
            return False

    def most_byzantine(self, num_workers: int) -> int:
        """Return the largest minority of n that the rule admits; 0 where it admits none.

        Parameters
        ----------
        num_workers : int
        """
        numbers = range((num_workers - 1) // 2, -1, -1)
        return next((f for f in numbers if self.serves(num_workers, f)), 0)


def subject_of(name: str, keys: Mapping[str, Any]) -> Subject:
    """Return a rule to be checked; the server has samples where it needs a gradient of its own.

    Parameters
    ----------
    name : str
    keys : mapping
        Run-config keys.

    Raises
    ------
    ConfigError
        When there is no such rule.
    """
    try:
        kind = own.load(name, "Class") if ":" in name else STRATEGIES[name]
    except (KeyError, ValueError) as error:
        raise ConfigError(f"unknown rule {name!r}: {error}") from error
    needed = {"server-samples": SAMPLES} if getattr(kind, "needs_reference", False) else {}
    subject = Subject(name, {**needed, **keys})
    subject.rule()
    return subject
