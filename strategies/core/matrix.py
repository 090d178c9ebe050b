"""A user's rows, in whatever form, as one tensor, and what comes with them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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


def as_reference(reference: Row, rows: Tensor) -> Tensor:
    """Turn the server's own gradient into a tensor float32 [N] on the device of the rows [n, N].

    Parameters
    ----------
    reference : ndarray, Tensor or sequence of N numbers
        The gradient.
    rows : Tensor, float32 [n, N]
        The rows of the round.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        When it is not N finite real numbers.

    Examples
    --------
    >>> as_reference([1, 2], torch.zeros(3, 2))
    tensor([1., 2.])
    """
    try:
        values = _as_floats(reference)
    except ValueError as error:
        raise ValueError(f"reference: {error}".replace("matrix: ", "")) from None
    if values.shape != rows.shape[1:]:
        raise ValueError(
            f"reference: expected {rows.shape[1]} numbers, one for each column of the matrix; "
            f"got shape {tuple(values.shape)}"
        )
    if not torch.isfinite(values).all():
        raise ValueError("reference: expected finite numbers; got NaN or infinity")
    return values.to(rows.device)


def as_edges(edges: Sequence[int], n_coordinates: int) -> tuple[int, ...]:
    """Check where layers begin and end among N coordinates; nothing given stays nothing.

    Parameters
    ----------
    edges : sequence of int
        From 0 to N, or nothing.
    n_coordinates : int
        N.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        When the numbers do not ascend from 0 to N.

    Examples
    --------
    >>> as_edges([0, 2, 5], 5)
    (0, 2, 5)
    """
    found = tuple(int(edge) for edge in edges)
    ascends = all(low < high for low, high in pairwise(found))
    if found and not (ascends and found[0] == 0 and found[-1] == n_coordinates):
        raise ValueError(
            f"edges: expected whole numbers that ascend from 0 to {n_coordinates}; got {found}"
        )
    return found


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
