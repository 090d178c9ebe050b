"""Numbers that lie on a device and are owed to the CPU: read together, in one copy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Then = Callable[[Tensor], None]


class Ledger:
    """What a round on a device still has to tell the CPU.

    To read a number is to wait for the device. So what is not needed at once is owed, and comes
    along with the next thing that is. Values travel as float64, exact for what is owed here:
    counts below 2^53, truth values, floats.

    Examples
    --------
    >>> ledger, heard = Ledger(), []
    >>> ledger.owe(torch.tensor([True, False]), lambda values: heard.append(values.tolist()))
    >>> [norms] = ledger.read(torch.tensor([1.5, 2.0]))
    >>> norms.tolist(), heard
    ([1.5, 2.0], [[True, False]])
    """

    def __init__(self) -> None:
        self._owed: list[tuple[Tensor, Then]] = []

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return bool(self._owed)

    def owe(self, values: Tensor, then: Then) -> None:
        """Owe values, for a function that gets them on the CPU with the next reading.

        Parameters
        ----------
        values : Tensor
            Of any shape and type.
        then : callable
            May raise: once all have got their values, the first error goes on.
        """
        self._owed.append((values, then))

    def read(self, *wanted: Tensor) -> list[Tensor]:
        """Return tensors on the CPU, after everything that is owed was settled, in its order.

        Parameters
        ----------
        *wanted : Tensor
            Of any shape and type.
        """
        owed, self._owed = self._owed, []
        parts = [*(values for values, _ in owed), *wanted]
        if not parts:
            return []
        flat = torch.cat([part.reshape(-1).to(torch.float64) for part in parts]).cpu()
        found = [
            piece.reshape(part.shape).to(part.dtype)
            for piece, part in zip(flat.split([part.numel() for part in parts]), parts, strict=True)
        ]
        first: Exception | None = None
        for (_, then), values in zip(owed, found, strict=False):
            try:
                then(values)
            except Exception as error:  # the others get what they are owed all the same
                first = first or error
        if first:
            raise first
        return found[len(owed) :]
