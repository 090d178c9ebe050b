"""Where layers leave the gradients of their parameters, by worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from signfed.app.task.many import Consume


class Sink:
    """Collect what each use of a parameter adds to its gradients; hand over what is complete.

    A parameter that is used several times, because weights are tied or a module is called again, is
    complete when the backward pass has been at each of its uses.

    Parameters
    ----------
    columns : mapping
        Trained parameter -> its place among the coordinates.
    rows : slice
        The workers' place among those asked.
    consume : callable
        Gets each parameter's block once.
    out : Tensor, optional
        The matrix of gradients, float32 [n, N], that blocks are written to in place of `consume`.
    """

    def __init__(
        self,
        columns: Mapping[nn.Parameter, slice],
        rows: slice,
        consume: Consume | None = None,
        out: Tensor | None = None,
    ) -> None:
        self._columns, self._rows = columns, rows
        self._consume, self._out = consume, out
        self._expected: Counter[nn.Parameter] = Counter()
        self._begun: dict[nn.Parameter, Tensor] = {}
        self._done: set[nn.Parameter] = set()

    def owns(self, tensor: object) -> bool:
        """Tell whether this is one of the trained parameters.

        Parameters
        ----------
        tensor : object
            What a function was called with.
        """
        return isinstance(tensor, nn.Parameter) and tensor in self._columns

    def expect(self, *tensors: Tensor | None) -> None:
        """Note one more use of each trained parameter among these.

        Parameters
        ----------
        *tensors : Tensor or None
            What a layer is about to compute with.
        """
        self._expected.update(
            tensor for tensor in tensors if isinstance(tensor, nn.Parameter) and self.owns(tensor)
        )

    def put(self, parameter: nn.Parameter, found: Tensor | Iterable[Tensor]) -> None:
        """Add what one use contributes.

        Parameters
        ----------
        parameter : nn.Parameter
            One that was expected.
        found : Tensor or iterable of Tensor
            A gradient for each worker, of the parameter's shape; in any dtype.
        """
        first = parameter not in self._begun
        block = self._begun.setdefault(parameter, self._block(parameter)) if first else (
            self._begun[parameter]
        )  # fmt: skip
        if isinstance(found, Tensor):
            whole = found.reshape(len(block), -1)
            block.copy_(whole) if first else block.add_(whole)
        else:
            for row, gradient in zip(block, found, strict=True):
                row.copy_(gradient.reshape(-1)) if first else row.add_(gradient.reshape(-1))
        self._expected[parameter] -= 1
        if not self._expected[parameter]:
            self._hand_over(parameter)

    def finish(self) -> None:
        """Hand over what is left: zeros for a parameter that the loss does not depend on."""
        for parameter in self._columns:
            if parameter not in self._done:
                if parameter not in self._begun:
                    self._begun[parameter] = self._block(parameter).zero_()
                self._hand_over(parameter)

    def _block(self, parameter: nn.Parameter) -> Tensor:
        if self._out is not None:
            return self._out[self._rows, self._columns[parameter]]
        rows = self._rows.stop - self._rows.start
        return torch.empty((rows, parameter.numel()), device=parameter.device)

    def _hand_over(self, parameter: nn.Parameter) -> None:
        self._done.add(parameter)
        block = self._begun.pop(parameter)
        if self._consume is not None:
            self._consume(self._rows, self._columns[parameter], block)


def columns_of(parameters: Sequence[nn.Parameter]) -> dict[nn.Parameter, slice]:
    """Return the place of each parameter among the coordinates.

    Parameters
    ----------
    parameters : sequence of nn.Parameter
        In the order of the coordinates.

    Examples
    --------
    >>> layer = nn.Linear(2, 3)
    >>> list(columns_of(list(layer.parameters())).values())
    [slice(0, 6, None), slice(6, 9, None)]
    """
    columns, at = {}, 0
    for parameter in parameters:
        columns[parameter] = slice(at, at + parameter.numel())
        at += parameter.numel()
    return columns
