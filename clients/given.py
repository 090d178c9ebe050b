"""What the rows of a round were computed from, so that they are computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from signfed.attacks import Past


@dataclass(frozen=True)
class Given:
    """What all rows of the Byzantine workers in a round depend on.

    Attributes
    ----------
    server_round : int
    parameters : ndarray, float32 [N]
        The model of the round.
    past : Past or None
        For an attack that has one. Workers that were asked in other rounds have another.

    Examples
    --------
    >>> x = np.zeros(2)
    >>> [Given(1, x, None).equals(Given(t, x.copy(), None)) for t in (1, 2)]
    [True, False]
    """

    server_round: int
    parameters: np.ndarray
    past: Past | None

    def copied(self) -> Given:
        """Return the same with copies of what others may change: the model, the names kept."""
        past = self.past and replace(self.past, memory=dict(self.past.memory))
        return replace(self, parameters=self.parameters.copy(), past=past)

    def equals(self, other: Given) -> bool:
        """Tell whether the rows would be the same."""
        if self.server_round != other.server_round:
            return False
        ours, theirs = self._arrays(), other._arrays()
        return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))

    def _arrays(self) -> list[np.ndarray]:
        if self.past is None:
            return [self.parameters]
        memory = self.past.memory
        return [self.parameters, self.past.direction, *(memory[name] for name in sorted(memory))]
