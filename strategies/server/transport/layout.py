"""A model of many arrays as one vector, and back: which arrays a rule sees, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from flwr.app import Array, ArrayRecord

from signfed.strategies.server.transport.payload import Malformed, read_array

BFLOAT16 = "bfloat16"  # NumPy has no such type; its files call it V2


def is_finite(values: np.ndarray) -> bool:
    """Tell whether no value is infinite or NaN: one pass, and no memory, where that is so."""
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum that is finite has finite terms; one that is not may have overflowed.
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def still_text(names: Iterable[str]) -> str:
    """Say what comes of arrays that no node changes where they travel as signs."""
    return (
        f"no update of {', '.join(map(repr, sorted(names)))}: a sign has no 0, so each value moves "
        "by the learning rate in each round; leave these arrays out of initial_arrays, or name "
        "them in as_values"
    )


@dataclass(frozen=True)
class Form:
    """Name, shape and dtype of one array, as its Flower Array spells the dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @cached_property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @cached_property
    def stored(self) -> np.dtype:
        """As the bytes lie in the .npy payload."""
        return np.dtype("V2") if self.dtype == BFLOAT16 else np.dtype(self.dtype)

    @property
    def is_float(self) -> bool:
        return self.dtype == BFLOAT16 or self.stored.kind == "f"

    def read(self, array: Array) -> np.ndarray:
        """Return the values of an array of this form: a view, but for bfloat16, read as float32.

        Parameters
        ----------
        array : Array
            Foreign; Malformed is raised where it has another form.
        """
        try:
            values = read_array(array, self.stored, self.shape, any_order=True)
        except Malformed as refusal:
            what = f"array {self.name!r}: expected {self.dtype} of shape {self.shape}"
            raise Malformed(refusal.reason, what) from None
        if self.dtype != BFLOAT16:
            return values
        halves = values.view(np.uint16).astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(self.shape)

    def write(self, values: np.ndarray) -> Array:
        """Make an array of this form of values, rounded to the nearest that its dtype has."""
        if self.dtype != BFLOAT16:
            with np.errstate(over="ignore"):
                return Array(np.asarray(values.reshape(self.shape), dtype=self.stored, order="C"))
        bits = np.asarray(values, dtype=np.float32).ravel().view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to nearest, ties to even
        saved = Array(rounded.astype(np.uint16).view("V2").reshape(self.shape))
        return Array(BFLOAT16, self.shape, saved.stype, saved.data)


class Layout:
    """The arrays of a model: those that form the vector, in their order, and those beside it.

    Parameters
    ----------
    arrays : ArrayRecord
        The model, trusted: from the server's user, or for a node from its server.
    beside : sequence of str
        Names of float arrays that are no part of the vector. Integers and truth values never are.

    Raises
    ------
    ValueError
        For a model without a float array, or with an array of numbers of no kind that is known.

    Examples
    --------
    >>> model = ArrayRecord({"w": Array(np.ones((2, 2), "f2")), "seen": Array(np.array(3))})
    >>> layout = Layout(model)
    >>> layout.n_coordinates, layout.flat(model), [form.name for form in layout.beside]
    (4, array([1., 1., 1., 1.], dtype=float32), ['seen'])
    """

    def __init__(self, arrays: ArrayRecord, beside: Sequence[str] = ()) -> None:
        self.forms = [Form(name, tuple(a.shape), a.dtype) for name, a in arrays.items()]
        for form in self.forms:
            if form.stored.kind not in "fiubV" or form.stored.itemsize > 8:
                raise ValueError(
                    f"array {form.name!r}: expected floats, integers or truth values of at most 64 "
                    f"bits; got {form.dtype}; leave it out of initial_arrays"
                )
        self.vector = [f for f in self.forms if f.is_float and f.name not in beside]
        self.beside = [f for f in self.forms if f not in self.vector]
        self.n_coordinates = sum(form.size for form in self.vector)
        if not self.n_coordinates:
            raise ValueError(
                "expected at least one array of floats that is trained; got "
                f"{', '.join(f'{f.name} ({f.dtype})' for f in self.forms) or 'no arrays'}"
            )
        self.edges = (0, *accumulate(form.size for form in self.vector))
        self.names = frozenset(form.name for form in self.forms)

    @property
    def is_plain(self) -> bool:
        """Whether the vector's arrays are all float32, so that no value is rounded on its way."""
        return all(form.stored == np.float32 for form in self.vector)

    def flat(self, arrays: Mapping[str, Array]) -> np.ndarray:
        """Return the vector of a model, float32 [N], a copy. Raises Malformed."""
        vector = np.empty(self.n_coordinates, np.float32)
        start = 0
        for form in self.vector:
            vector[start : start + form.size] = form.read(arrays[form.name]).ravel()
            start += form.size
        return vector

    def update(
        self, before: Mapping[str, np.ndarray], after: Mapping[str, Array], out: np.ndarray
    ) -> None:
        """Write x - y: what a node made of the model that it got. Raises Malformed.

        Parameters
        ----------
        before : mapping
            Name -> values of x, as they were sent.
        after : mapping
            Name -> array of y.
        out : ndarray, float32 [N]
            Where to write.
        """
        start = 0
        for form in self.vector:
            values = form.read(after[form.name])
            piece = out[start : start + form.size].reshape(form.shape)
            wide = np.result_type(values.dtype, np.float32)  # no difference of halves in halves
            with np.errstate(all="ignore"):  # what is not finite is found afterwards
                np.subtract(before[form.name], values, out=piece, dtype=wide, casting="same_kind")
            start += form.size

    def unchanged(self, update: np.ndarray) -> set[str]:
        """Return the names of the vector's arrays in which an update, float32 [N], is 0."""
        found, start = set(), 0
        for form in self.vector:
            if form.size and not update[start : start + form.size].any():
                found.add(form.name)
            start += form.size
        return found

    def arrays(self, vector: np.ndarray, beside: Mapping[str, np.ndarray]) -> ArrayRecord:
        """Return a model.

        Parameters
        ----------
        vector : ndarray, float32 [N]
        beside : mapping
            Name -> values of the arrays beside it.
        """
        found: dict[str, Array] = {}
        start = 0
        for form in self.vector:
            found[form.name] = form.write(vector[start : start + form.size])
            start += form.size
        found |= {form.name: form.write(beside[form.name]) for form in self.beside}
        return ArrayRecord({form.name: found[form.name] for form in self.forms})

    def values(self, arrays: Mapping[str, Array], *, beside: bool = False) -> dict[str, np.ndarray]:
        """Return values by name. Raises Malformed.

        Parameters
        ----------
        arrays : mapping
            A model.
        beside : bool
            Whether those of the arrays beside the vector, in place of the vector's.
        """
        forms = self.beside if beside else self.vector
        return {form.name: form.read(arrays[form.name]) for form in forms}
