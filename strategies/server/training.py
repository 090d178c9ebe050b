"""The model under way: what one round's updates make of it, whoever brought them in."""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger
from typing import Any, Protocol

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates, is_finite
from signfed.strategies.ops.linalg import coordinate_median
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.server.federation import DivergedError, Federation, FederationError
from signfed.strategies.server.optimizer import Descent

log = getLogger("signfed")

MAX_FAILED_ROUNDS = 5  # in a row, before the run is given up
LITTLE = 1 << 21  # values of all updates, below which one thread is as fast as several


# Tensors by name: what has to be saved for a run to go on.
State = dict[str, Tensor]

# (updates, direction, the round's record) -> more fields of the record
Observe = Callable[[Updates, Tensor, dict[str, Any]], dict[str, Any]]


class Rule(Protocol):
    """What the training needs of a strategy; see RobustStrategy."""

    def admissible(self, n: int) -> str | None: ...

    def aggregate(self, updates: Updates) -> Tensor: ...

    def diagnostics(self) -> dict[str, Any]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


def fallback(updates: Updates) -> Tensor:
    """Direction of a round with fewer valid updates than the rule admits.

    The coordinate-wise median; on the sign channel, the majority vote with sign(0) = +1.
    """
    median = coordinate_median(updates.dense())
    return torch.where(median >= 0, 1.0, -1.0) if updates.on_sign_channel else median


class Training:
    """A rule, an optimizer and a model, float32 [N]; a round that is not usable keeps the model."""

    def __init__(
        self,
        rule: Rule,
        federation: Federation,
        parameters: Tensor,
        observe: Observe | None = None,
    ) -> None:
        """parameters: where to start, float32 [N]; copied. observe: sees each usable round."""
        self.parameters = parameters
        self.direction: Tensor | None = None  # of the last step
        self._rule = rule
        self._observe = observe
        self._federation = federation
        self._descent = Descent(federation.step, parameters)
        self._failed_rounds = 0

    @property
    def taken(self) -> int:
        """Steps taken; a skipped round takes none."""
        return self._descent.taken

    @property
    def momentum(self) -> Tensor | None:
        """SGD's buffer, float32 [N]; None where there is none."""
        return self._descent.momentum

    def state_dict(self) -> State:
        """Model, optimizer, rule and counters between two rounds, on the CPU."""
        counters = {"taken": self.taken, "failed_rounds": self._failed_rounds}
        state = {name: torch.tensor(value) for name, value in counters.items()}
        state["parameters"] = self.parameters.cpu()
        if self.momentum is not None:
            state["momentum"] = self.momentum.cpu()
        return state | {f"rule.{name}": t.cpu() for name, t in self._rule.state_dict().items()}

    def load_state_dict(self, state: State) -> None:
        """Go on from what `state_dict` returned."""
        self.parameters = state["parameters"].to(self.parameters)
        self._descent = Descent(
            self._federation.step, self.parameters, state.get("momentum"), int(state["taken"])
        )
        self._failed_rounds = int(state["failed_rounds"])
        rule = {n.removeprefix("rule."): t for n, t in state.items() if n.startswith("rule.")}
        self._rule.load_state_dict(rule)

    def advance(self, updates: Updates | None, record: dict[str, Any]) -> bool:
        """One round: its updates -> new `parameters`; False when it was skipped.

        updates: None when none was valid.
        record: the round's line, with "round" and "dropped"; gets what the rule found out, or
        why it was not asked.
        Raises FederationError after five skipped rounds in a row, or when nothing ever came.
        """
        values = updates.n * updates.n_coordinates if updates else 0
        with one_thread(only_if=values < LITTLE):
            return self._advance(updates, record)

    def _advance(self, updates: Updates | None, record: dict[str, Any]) -> bool:
        n, quorum = updates.n if updates else 0, self._federation.quorum
        record["received"] = n
        if updates is None or n < quorum:
            return self._skip(f"{n} valid updates, quorum {quorum}", record)
        if problem := self._rule.admissible(n):
            record["fallback"] = problem
            direction = fallback(updates)
        else:
            direction = self._rule.aggregate(updates)
            record |= self._rule.diagnostics()
        if direction.shape != self.parameters.shape:
            raise ValueError(
                f"{type(self._rule).__name__}.aggregate: expected a vector of "
                f"{len(self.parameters)} values, got shape {tuple(direction.shape)}"
            )
        if not is_finite(direction):
            return self._skip("the rule's direction is not finite", record)
        self._failed_rounds = 0
        if self._observe:
            record |= self._observe(updates, direction, record)
        self.parameters, self.direction = self._descent.take(direction), direction
        return True

    def _skip(self, reason: str, record: dict[str, Any]) -> bool:
        """Keep the model this round; give up when it goes on, or when nothing ever came."""
        record["skipped"] = reason
        self._failed_rounds += 1
        log.warning("round %d skipped: %s", record["round"], reason)
        nothing_at_all = record["round"] == 1 and not record["received"]
        if nothing_at_all or self._failed_rounds == MAX_FAILED_ROUNDS:
            overflowed = "not finite" in reason or "non-finite" in record["dropped"]
            raise (DivergedError if overflowed else FederationError)(
                f"no usable round: {self._failed_rounds} skipped in a row, the last because of "
                f"{reason}; dropped {record['dropped']}"
            )
        return False
