"""The model under way: what one round's updates make of it, whoever brought them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from logging import getLogger
from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.fallback import fallback
from signfed.strategies.core.ledger import Ledger
from signfed.strategies.core.rule import Rule, State, direction_of
from signfed.strategies.core.state import as_at_first, state_of
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.ops.values import is_finite
from signfed.strategies.server.doubts import Doubts
from signfed.strategies.server.federation import DivergedError, Federation, FederationError
from signfed.strategies.server.late import owe_scores, owe_step
from signfed.strategies.server.optimizer import Descent
from signfed.strategies.server.record import RoundRecord

log = getLogger("signfed")

MAX_FAILED_ROUNDS = 5  # in a row, before the run is given up
NO_DIRECTION = "the rule's direction is not finite"
LITTLE = 1 << 21  # values of all updates, below which one thread is as fast as several

# (updates, direction, the rule's findings) -> scores of the record, by name
# A score of updates with a ledger may be a tensor on their device, which is not waited for.
Observe = Callable[[Updates, Tensor, Mapping[str, Any]], Mapping[str, Any]]


class Training:
    """A rule, an optimizer and a model; a round that is not usable keeps the model.

    Parameters
    ----------
    rule : Rule
    federation : Federation
        Its optimizer step, its quorum, and what it knows of the model are used here.
    parameters : Tensor
        Where to start, float32 [N]; copied.
    observe : callable, optional
        Sees each usable round.
    state : dict of Tensor, optional
        What `state_dict` returned, to go on from.

    Attributes
    ----------
    parameters : Tensor
        The model, float32 [N].
    quorum : int
        Valid updates without which a round is skipped.
    direction : Tensor or None
        Of the last step, float32 [N]; None before the first.
    ledger : Ledger or None
        Set by an engine whose rounds stay on a device; scores of a round are then owed.

    Raises
    ------
    ValueError
        When the rule's `state_dict` returns no state, or it needs a gradient that nobody has.
    """

    def __init__(
        self,
        rule: Rule,
        federation: Federation,
        parameters: Tensor,
        observe: Observe | None = None,
        state: State | None = None,
    ) -> None:
        self.rule = rule
        self.parameters = parameters
        self.direction: Tensor | None = None
        self.ledger: Ledger | None = None
        self._observe = observe or (lambda *seen: {})
        self._unobserved: Callable[[], None] | None = None  # scores what the last step was made of
        self.quorum, self._edges = federation.quorum, federation.edges
        if rule.needs_reference and federation.reference is None:
            raise ValueError(
                f"{rule.title()} needs the server's own gradient of each round; expected "
                "Federation(reference=...); got none"
            )
        self._doubts = Doubts(federation.assumed_byzantine, federation.when_broken)
        self._reference = federation.reference if rule.needs_reference else None
        self._own: Tensor | None = None  # the server's gradient in the round under way
        self._failed_rounds, momentum, taken = 0, None, 0
        as_at_first(rule)
        if state:
            self.parameters = state["parameters"].to(parameters)
            momentum, taken = state.get("momentum"), int(state["taken"])
            self._failed_rounds = int(state["failed_rounds"])
            own = {n.removeprefix("rule."): t for n, t in state.items() if n.startswith("rule.")}
            rule.load_state_dict(own)
        self._descent = Descent(federation.step, self.parameters, momentum, taken)

    @property
    def taken(self) -> int:
        """Steps taken; a skipped round takes none."""
        return self._descent.taken

    @property
    def momentum(self) -> Tensor | None:
        """SGD's buffer, float32 [N]; None where there is none."""
        return self._descent.momentum

    def state_dict(self) -> State:
        """Return model, optimizer, rule and counters between two rounds, on the CPU."""
        counters = {"taken": self.taken, "failed_rounds": self._failed_rounds}
        state = {name: torch.tensor(value) for name, value in counters.items()}
        state["parameters"] = self.parameters.cpu()
        if self.momentum is not None:
            state["momentum"] = self.momentum.cpu()
        return state | {f"rule.{name}": t.cpu() for name, t in state_of(self.rule).items()}

    def advance(self, updates: Updates | None, record: RoundRecord) -> bool:
        """Make one round's updates into new `parameters`.

        Parameters
        ----------
        updates : Updates or None
            None when none was valid.
        record : RoundRecord
            Of the round; gets what the rule found out, or why it was not asked.

        Returns
        -------
        bool
            False when the round was skipped.

        Raises
        ------
        FederationError
            After five skipped rounds in a row, or when nothing came in round 1.
        ValueError
            When the rule returns no direction, or no findings.
        """
        self._observe_late()
        if self.ledger and not (updates and updates.ledger and self._reads(updates.n)):
            self.ledger.read()  # whether every row is finite, before a rule remembers any
        values = updates.n * updates.n_coordinates if updates else 0
        with one_thread(only_if=values < LITTLE):
            moved = self._advance(updates, record)
        self._own = None  # of this round's model, whether or not the rule was asked
        return moved

    def _reads(self, n: int) -> bool:
        """Whether the rule reads by itself in a round with so many rows."""
        return self.rule.reads and n >= self.quorum and self.rule.admissible(n) is None

    def _advance(self, updates: Updates | None, record: RoundRecord) -> bool:
        n = record.received = updates.n if updates else 0
        if updates is None or n < self.quorum:
            return self._skip(f"{n} valid updates, quorum {self.quorum}", record)
        record.fallback = self.rule.admissible(n)
        if record.fallback:
            direction = fallback(updates)
        else:
            complete = self.as_rule_gets(updates, record.round)
            if complete is None:
                return self._skip("the server's own gradient is not finite", record)
            updates = complete
            direction = direction_of(self.rule, updates)
            record.add_findings(self.rule.title(), self.rule.diagnostics())
            self._doubts.note(self.rule, updates, record)
        scores = partial(self._observe, updates, direction, record.findings)
        if updates.ledger is not None:
            return self._step_unseen(direction, scores, record)
        if not is_finite(direction):
            return self._skip(NO_DIRECTION, record)
        self._failed_rounds = 0
        record.add_scores(scores())
        self.parameters, self.direction = self._descent.take(direction), direction
        return True

    def _step_unseen(
        self, direction: Tensor, scores: Callable[[], Mapping[str, Any]], record: RoundRecord
    ) -> bool:
        """Take the step without waiting for the device; what is to be known of it is owed."""
        (before, self.direction), ledger = (self.direction, direction), self.ledger
        assert ledger is not None

        def settled(moved: bool) -> None:
            if moved:
                self._failed_rounds = 0
            else:
                self.direction = before
                self._skip(NO_DIRECTION, record)

        self.parameters = owe_step(ledger, self._descent, direction, settled)
        self._unobserved = lambda: owe_scores(ledger, scores(), record)
        return True

    def settle(self) -> None:
        """Wait for all that is owed."""
        self._observe_late()
        if self.ledger:
            self.ledger.read()

    def _observe_late(self) -> None:
        """Score the last round, which was left until the device has the next one to compute."""
        if unobserved := self._unobserved:
            self._unobserved = None
            unobserved()

    def as_rule_gets(self, updates: Updates, server_round: int) -> Updates | None:
        """Return the updates with what the server knows: the layers and its own gradient.

        Parameters
        ----------
        updates : Updates
            Of the round, at the current model.
        server_round : int
            Number of the round.

        Returns
        -------
        Updates or None
            None where the rule needs the server's gradient and that one is not finite.
        """
        updates = replace(updates, edges=self._edges)
        if self._reference is None:
            return updates
        if self._own is None:  # an attack may ask for it before the round does
            own = self._reference(self.parameters.cpu().numpy(), server_round)
            self._own = torch.from_numpy(own)
        if not is_finite(self._own):
            return None
        return replace(updates, reference=self._own.to(updates.rows.device))

    def _skip(self, reason: str, record: RoundRecord) -> bool:
        """Keep the model this round; give up when it goes on, or when nothing ever came."""
        record.skipped = reason
        self._failed_rounds += 1
        log.warning("round %d skipped: %s", record.round, reason)
        nothing_at_all = record.round == 1 and not record.received
        if nothing_at_all or self._failed_rounds == MAX_FAILED_ROUNDS:
            overflowed = "not finite" in reason or DropReason.NON_FINITE in record.dropped
            raise (DivergedError if overflowed else FederationError)(
                f"no usable round: {self._failed_rounds} skipped in a row, the last because of "
                f"{reason}; dropped: {record.losses}"
            )
        return False
