"""A user's rows, in whatever form, as one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Row = np.ndarray | Tensor | Sequence[float]


def as_rows(matrix: np.ndarray | Tensor | Sequence[Row]) -> Tensor:
    """Make one tensor of an array, a tensor, or a list or tuple of rows.

    Parameters
    ----------
    matrix : ndarray or Tensor, numeric [n, N], or list or tuple of n rows
        It is not changed.

    Returns
    -------
    Tensor, float32 [n, N]

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        When it is not two-dimensional, its rows differ in length, or a value is no real number.

    Examples
    --------
    >>> as_rows([torch.tensor([1.0, 2.0]), np.array([3.0, 4.0]), [5, 6]])
    tensor([[1., 2.],
            [3., 4.],
            [5., 6.]])
    """
    if not isinstance(matrix, np.ndarray | Tensor | list | tuple):
        raise TypeError(
            "matrix: expected a NumPy array, a tensor, or a list or tuple of rows; "
            f"got {type(matrix).__name__}"
        )
    if isinstance(matrix, list | tuple):
        rows = [_as_floats(row) for row in matrix]
        shapes = sorted({tuple(row.shape) for row in rows})
        if len(shapes) > 1:
            raise ValueError(f"matrix: expected rows of one length; got the shapes {shapes}")
        values = torch.stack(rows) if rows else torch.empty(0)
    else:
        values = _as_floats(matrix)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            "matrix: expected n rows of N values each, n and N at least 1; "
            f"got shape {tuple(values.shape)}"
        )
    return values


def _as_floats(values: np.ndarray | Tensor | Row) -> Tensor:
    if isinstance(values, Tensor):
        real = not values.is_complex()
    else:
        try:
            array = np.asarray(values)
        except ValueError:
            raise ValueError("matrix: expected numbers in rows of one length") from None
        real = array.dtype.kind in "biuf"
        if real:  # a tensor takes neither negative strides nor a foreign byte order
            array = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])
        values = array
    if not real:
        raise ValueError(f"matrix: expected real numbers; got values of type {values.dtype}")
    return torch.as_tensor(values).detach().to(torch.float32)
